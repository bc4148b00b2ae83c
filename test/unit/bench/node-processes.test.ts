import { cpuByPart } from '../../../bench/cpu-by-part.ts';
import { cpuIn, groupIn, type NodeProcess } from '../../../bench/node-processes.ts';

describe('reading /proc', () => {
  const NODE = 'autocert-e2e-7';

  test.each([
    [
      'version 1, a container',
      '4:memory:/autocert-e2e-7/kubepods/podx/c1\n1:cpu:/autocert-e2e-7/kubepods/podx/c1',
      '/autocert-e2e-7/kubepods/podx/c1',
    ],
    [
      'version 1, a program of the node, which is in one hierarchy only',
      '4:memory:/\n1:cpu:/autocert-e2e-7/system',
      '/autocert-e2e-7/system',
    ],
    ['version 2', '0::/autocert-e2e-7/system', '/autocert-e2e-7/system'],
    ['another node', '0::/autocert-e2e-77/system', undefined],
    ['no node', '0::/user.slice', undefined],
  ])('finds the control group of %s', (_, text, group) => expect(groupIn(text, NODE)).toBe(group));

  test('takes CPU time of a process whose name has brackets and spaces', () => {
    const stat = '42 (a) b (c) S 1 42 42 0 -1 4194304 100 0 0 0 150 50 30 20 20 0 1 0 12345';
    expect(cpuIn(stat)).toEqual({ own: 2, reaped: 0.5 });
  });
});

describe('CPU time by part', () => {
  let pid = 0;
  const process = (command: string, own: number, reaped = 0, group = '/node/system'): NodeProcess => ({
    pid: ++pid,
    command: command.split(' '),
    group,
    cpu: { own, reaped },
  });
  const later = (one: NodeProcess, own: number, reaped = 0): NodeProcess => ({ ...one, cpu: { own, reaped } });
  const parts = (before: readonly NodeProcess[], after: readonly NodeProcess[]) =>
    Object.fromEntries(cpuByPart(before, after));

  test('is the difference for what was there before, and all of it for what is new', () => {
    const kubelet = process('/bin/kubelet --config=x', 10);
    const shim = process('/bin/containerd-shim-runc-v2 -id a', 0.1, 0.4);
    expect(parts([kubelet], [later(kubelet, 12), shim])).toEqual({ kubelet: 2, shims: 0.1, runc: 0.4 });
  });

  test('tells the shell of an agent from what it starts, and both from the pod it is in', () => {
    const agent = process('/bin/sh /usr/local/bin/autocert-agent run', 0.01, 0.05, '/node/pod/agent');
    const sleep = process('sleep 600', 0.02, 0, '/node/pod/agent');
    const app = process('/bin/sh -c sleep', 0.03, 0, '/node/pod/app');
    expect(parts([], [agent, sleep, app])).toEqual({ agentShells: 0.01, agentWork: 0.07, apps: 0.03 });
  });

  test('counts a process anew when it has got the id of another', () => {
    const old = process('/bin/etcd', 5);
    expect(parts([old], [later(old, 1)])).toEqual({ etcd: 1 });
  });
});
