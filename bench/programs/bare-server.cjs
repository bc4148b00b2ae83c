// The least that stays in memory when a program is Node with TLS: an HTTPS server that nobody asks anything.
require('node:https')
  .createServer()
  .listen(0, '127.0.0.1', () => console.log('ready'));
