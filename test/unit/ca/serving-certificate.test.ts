import { once } from 'node:events';
import { connect } from 'node:tls';
import { jest } from '@jest/globals';
import { startTestCa, type TestCa } from '../../support/embedded-ca.ts';

const HOUR = 3_600_000;

let ca: TestCa;
beforeEach(async () => {
  jest.useFakeTimers({
    advanceTimers: false,
    doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance', 'Date'],
  });
  ca = await startTestCa();
});
afterEach(async () => {
  jest.useRealTimers();
  await ca.close();
});

const servedSerial = async () => {
  const { hostname, port } = new URL(ca.url);
  const socket = connect({ host: hostname, port: Number(port), ca: ca.pki.rootPem });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
};

test("the CA's own certificate, which is good for a day, is replaced each hour", async () => {
  const first = await servedSerial();
  await jest.advanceTimersByTimeAsync(HOUR - 60_000);
  expect(await servedSerial()).toBe(first);
  for (let seen = first, hour = 1; hour <= 3; hour += 1) {
    await jest.advanceTimersByTimeAsync(HOUR);
    // Making keys takes real time.
    let now = await servedSerial();
    while (now === seen) now = await servedSerial();
    seen = now;
  }
});
