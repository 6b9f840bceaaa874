// The same guard as loopback.py, for Node: `node --require loopback.cjs`.
"use strict";
const dns = require("dns");
const fs = require("fs");
const net = require("net");

function isLoopback(host) {
  return !host || host === "localhost" || host === "::1" || /^127\./.test(host);
}

function check(what, host) {
  if (!isLoopback(host)) {
    fs.appendFileSync(process.env.STRAY_CONNECTIONS, `${what} ${host}\n`);
    throw new Error(`Not on loopback: ${what} ${host}`);
  }
}

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...args) {
  const flat = Array.isArray(args[0]) ? args[0] : args;
  const target = typeof flat[0] === "object" ? flat[0] : { host: flat[1] };
  if (!target.path) check("connection to", target.host);
  return connect.apply(this, args);
};

const lookup = dns.lookup;
dns.lookup = function (host, ...rest) {
  check("look-up of", host);
  return lookup.call(this, host, ...rest);
};
