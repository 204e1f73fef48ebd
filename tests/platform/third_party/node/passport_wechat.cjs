// Plays passport-wechat (and wechat-oauth below it) with a request as a web framework hands it
// over; says on stdout, as JSON, how the strategy decided. argv: what play() takes.
"use strict";
const { Strategy } = require("passport-wechat");

function play({ appid, secret, callback, client, scope, query }) {
  const options = { appID: appid, appSecret: secret, callbackURL: callback, client, scope };
  const found = (accessToken, refreshToken, profile, expires, done) => done(null, profile);
  const strategy = new Strategy({ ...options, state: "st4te", lang: "zh_CN" }, found);
  return new Promise((resolve, reject) => {
    strategy.success = (user) => resolve({ user });
    strategy.fail = (status) => resolve({ refused: status });
    strategy.redirect = (location) => resolve({ location });
    strategy.error = (error) => resolve({ error: { name: error.name, code: error.code } });
    const url = { protocol: "https", get: () => "rp.example", originalUrl: "/back" };
    strategy.authenticate({ _passport: {}, query, ...url });
  });
}

play(JSON.parse(process.argv[2])).then((said) => console.log(JSON.stringify(said)));
