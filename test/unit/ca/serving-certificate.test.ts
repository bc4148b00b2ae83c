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

test("the CA's own certificate is replaced at two thirds of its day", async () => {
  const first = await servedSerial();
  await jest.advanceTimersByTimeAsync(15 * HOUR);
  expect(await servedSerial()).toBe(first);
  await jest.advanceTimersByTimeAsync(2 * HOUR);
  let now = await servedSerial();
  while (now === first) now = await servedSerial();
  expect(now).not.toBe(first);
});
