// Plays co-wechat-oauth; says on stdout, as JSON, what it was told. argv: what play() takes.
"use strict";
const OAuth = require("co-wechat-oauth");

async function play({ appid, secret, code, redirect }) {
  const oauth = new OAuth(appid, secret);
  if (!code) {
    const login = oauth.getAuthorizeURL(redirect, "st4te", "snsapi_userinfo");
    return { login, qr: oauth.getAuthorizeURLForWebsite(redirect, "st4te") };
  }
  const { data: token } = await oauth.getAccessToken(code);
  const user = await oauth.getUser({ openid: token.openid, lang: "zh_CN" });
  const valid = await oauth.verifyToken(token.openid, token.access_token);
  const { data: refreshed } = await oauth.refreshAccessToken(token.refresh_token);
  const replay = await oauth.getAccessToken(code).then(() => null, ({ name, code }) => ({ name, code }));
  return { token, user, valid, refreshed, replay };
}

play(JSON.parse(process.argv[2])).then((said) => console.log(JSON.stringify(said)));
