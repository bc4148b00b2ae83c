/**
 * How late the event loop of this process is: what a busy process has not heard was perhaps said.
 * @module
 */

/** How often the loop is looked at, milliseconds. */
export const TICK_MS = 100;

/** Gives a function that tells by how much the event loop was late since it was last asked, at the worst; milliseconds. */
export function eventLoopLateness(): () => number {
  let tickedAt = performance.now();
  let worst = 0;
  const look = () => {
    worst = Math.max(worst, performance.now() - tickedAt - TICK_MS);
  };
  const tick = () => {
    look();
    tickedAt = performance.now();
  };
  setInterval(tick, TICK_MS).unref();
  return () => {
    look();
    const late = worst;
    worst = 0;
    return late;
  };
}
