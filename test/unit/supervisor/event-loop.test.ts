import { eventLoopLateness } from '../../../runtime/supervisor/event-loop.ts';

test('tells by how much the loop was late, once', () => {
  const lateness = eventLoopLateness();
  expect(lateness()).toBeLessThan(250);
  const until = performance.now() + 500;
  while (performance.now() < until);
  expect(lateness()).toBeGreaterThanOrEqual(395);
});

test('and when the loop has gone on since, at the worst', async () => {
  const lateness = eventLoopLateness();
  await new Promise((resolve) => setImmediate(resolve));
  const until = performance.now() + 600;
  while (performance.now() < until);
  await new Promise((resolve) => setTimeout(resolve, 250));
  expect(lateness()).toBeGreaterThanOrEqual(395);
});
