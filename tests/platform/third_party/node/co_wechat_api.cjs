// Plays co-wechat-api; says on stdout, as JSON, what it was told. argv: what play() takes.
"use strict";
const WeChatAPI = require("co-wechat-api");

async function play({ url, appid, secret, mini, dead, openids, code }) {
  const api = pointed(new WeChatAPI(appid, secret), url);
  const user = await api.getUser({ openid: openids[0], lang: "zh_CN" });
  const { user_info_list: users } = await api.batchGetUsers(openids);

  // A token that died is noticed by its error, and replaced.
  const [held, dying] = [api.store, new WeChatAPI(appid, secret)];
  const before = held.accessToken;
  pointed(dying, url).store = { accessToken: dead, expireTime: Date.now() + 3600_000 };
  const again = await dying.getUser(openids[0]);

  const followers = [];
  for (let next = ""; ; ) {
    const page = await api.getFollowers(next);
    if (!page.data) break;
    followers.push(...page.data.openid);
    next = page.next_openid;
    if (!next) break;
  }

  const program = pointed(new WeChatAPI(mini.appid, mini.secret), url);
  const session = await program.code2Session(code);
  const replay = await failure(program.code2Session(code));
  return { user, users, again, before, after: dying.store.accessToken, followers, session, replay };
}

// The library's own attributes say where the platform is.
function pointed(api, url) {
  api.prefix = `${url}/cgi-bin/`;
  api.snsPrefix = `${url}/sns/`;
  api.wxaPrefix = `${url}/wxa/`;
  return api;
}

const failure = (promise) =>
  promise.then(() => null, ({ name, code, message }) => ({ name, code, message }));

play(JSON.parse(process.argv[2])).then((said) => console.log(JSON.stringify(said)));
