import { supervisorMetrics } from '../../../runtime/supervisor/metrics.ts';

const restartsIn = (text: string) =>
  [...text.matchAll(/^autocert_ca_restarts_total\{reason="([^"]+)"\} (\d+)$/gm)].map(([, reason, count]) => [
    reason,
    Number(count),
  ]);

test('restarts are told from the beginning, so that the first of each reason is seen as growth', async () => {
  const metrics = supervisorMetrics();
  expect(restartsIn(await metrics.render())).toEqual([
    ['configuration', 0],
    ['database-size', 0],
    ['volume-space', 0],
    ['no-answer', 0],
    ['exit', 0],
  ]);
  metrics.restarted('exit');
  expect(restartsIn(await metrics.render())).toContainEqual(['exit', 1]);
});
