import { eventLoopLateness, TICK_MS } from '../../../runtime/lib/event-loop.ts';

test('tells by how much the loop was late, once', () => {
  const lateness = eventLoopLateness();
  expect(lateness()).toBeLessThan(250);
  const until = performance.now() + 500;
  while (performance.now() < until);
  expect(lateness()).toBeGreaterThanOrEqual(395);
});

test('and when the loop has gone on since, at the worst', async () => {
  const lateness = eventLoopLateness();
  // A timer of its own interval, set after its own: when this one has fired, that one has.
  const ticked = new Promise((resolve) => setTimeout(resolve, TICK_MS));
  const until = performance.now() + 600;
  while (performance.now() < until);
  await ticked;
  expect(lateness()).toBeGreaterThanOrEqual(395);
});
