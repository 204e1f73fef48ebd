// Loaded before a library: every TLS connection leads to the platform on this machine, whatever
// host it asked for; the name is still checked against the certificate. The libraries spell their
// hosts out, and Node's https knows no proxy.
"use strict";
const tls = require("node:tls");

const connect = tls.connect;
const port = Number(process.env.PLATFORM_TLS_PORT);
tls.connect = (options, ...rest) => connect({ ...options, host: "127.0.0.1", port }, ...rest);
