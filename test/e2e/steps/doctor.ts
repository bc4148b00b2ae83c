/**
 * Steps 26.x: `autocert doctor` names what is wrong. Each step breaks one thing of the real cluster, waits until it is named,
 * and mends it; what may not be broken here, where others go on, is broken in a second CA of these steps' own.
 * @module
 */
import assert from 'node:assert/strict';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { tryAutocert } from '../autocert.ts';
import type { Context, Step } from '../context.ts';
import { SYSTEM } from '../context.ts';
import { manifestsOf } from '../installed.ts';
import { autocertBreakages } from '../sick/autocert.ts';
import { type Breakage, DOCTOR_NAMESPACES, prepareNamespaces } from '../sick/breakages.ts';
import { doctorNamesDisabledApis } from '../sick/disabled-apis.ts';
import { podBreakages } from '../sick/pods.ts';
import { secondCaBreakages } from '../sick/second-ca.ts';
import { removeViewer, viewerOf } from '../sick/viewer.ts';
import { Typist } from '../typist.ts';

interface Finding {
  readonly check: string;
  readonly object: string;
  readonly message: string;
  readonly remedy: string;
  readonly severity: string;
}

interface Diagnosis {
  readonly healthy: boolean;
  readonly findings: readonly Finding[];
  readonly notLookedAt: readonly string[];
}

const SLOWLY = { timeoutMs: 120_000, everyMs: 500 };

/** All of them. */
export function doctorSteps(context: Context): Step[] {
  const { kubectl, native, ownNode, print } = context;
  const commands = new Typist(context, 'docs/cli.md');
  let before: readonly string[] = [];
  const examine = async (namespace: string) => {
    const { code, stdout, stderr } = await tryAutocert(context, ['doctor', '-n', namespace, '-o', 'json'], '');
    assert(code === 0 || code === 1, `exit code ${code}: ${stderr}`);
    const diagnosis = JSON.parse(stdout) as Diagnosis;
    assert.equal(code, diagnosis.healthy ? 0 : 1);
    return diagnosis;
  };
  const gist = ({ findings }: Diagnosis) => findings.map(({ check, object }) => `${check} ${object}`).sort();
  const named = (breakage: Breakage) =>
    waitFor(
      `${breakage.check} of ${breakage.object.source}`,
      async () => {
        const { findings } = await examine(breakage.namespace ?? SYSTEM);
        const found = findings.find(({ check, object }) => check === breakage.check && breakage.object.test(object));
        if (!found) throw new Error(`it names ${JSON.stringify(findings)}`);
        return found;
      },
      SLOWLY,
    );
  const asBefore = (what: string) =>
    waitFor(
      what,
      async () => {
        const now = await examine(SYSTEM);
        if (gist(now).join() !== before.join()) throw new Error(`it names ${JSON.stringify(now.findings)}`);
        return now;
      },
      SLOWLY,
    );

  const green: Step = {
    id: '26.1',
    name: 'autocert doctor finds nothing wrong, and has looked at all of it',
    run: async () => {
      await prepareNamespaces(kubectl);
      if (!ownNode) before = gist(await examine(SYSTEM));
      const { notLookedAt } = await asBefore('nothing to be wrong');
      assert.deepEqual(notLookedAt, []);
      const [said = ''] = await commands.type('26.1', undefined, { codes: ownNode ? [0] : [0, 1] });
      if (ownNode) assert.match(said, /^Autocert in namespace step: nothing is wrong \(\d+ checks\)$/m);
    },
  };
  const lesser: Step = {
    id: '26.2',
    name: 'with the rights of view it says what it could not look at (0); without a cluster it says so (3), or of a wrong flag (2)',
    run: async () => {
      const run = (...flags: string[]) => tryAutocert(context, ['doctor', ...flags], '');
      const viewer = await run('--kubeconfig', await viewerOf(context), '-o', 'json');
      const { findings, notLookedAt } = JSON.parse(viewer.stdout) as Diagnosis;
      assert.deepEqual([viewer.code, findings], [before.length === 0 ? 0 : 1, []]);
      assert(notLookedAt.some((line) => line.includes('mutatingwebhookconfigurations, for lack of the verb list')));
      const nowhere = await run('--kubeconfig', await viewerOf(context, 'https://127.0.0.1:9'));
      assert.deepEqual([nowhere.code, nowhere.stdout], [3, '']);
      assert.match(nowhere.stderr, /the API server cannot be reached/);
      assert.equal((await run('-n', 'No_Namespace')).code, 2);
    },
  };
  const breakages = [...autocertBreakages(context), ...podBreakages(context), ...secondCaBreakages(context)];
  const broken = breakages.map(
    (breakage, index): Step => ({
      id: `26.${index + 3}`,
      name: `${breakage.name}: autocert doctor names it (${breakage.check}), with what to do`,
      run: async () => {
        const mend = await breakage.break();
        try {
          const { check, object, message, remedy, severity } = await named(breakage);
          assert.match(remedy, /\S/);
          print(`       ${severity} [${check}] ${object}: ${message} — ${remedy}`);
        } finally {
          await mend();
        }
      },
    }),
  );
  const mended: Step = {
    id: `26.${breakages.length + 3}`,
    name: 'with all of it mended autocert doctor finds nothing wrong again',
    run: async () => {
      await removeViewer(context);
      await kubectl.run(['delete', 'namespace', ...Object.values(DOCTOR_NAMESPACES), '--wait=false']);
      await asBefore('all to be well again');
    },
  };
  const disabled: Step = {
    id: `26.${breakages.length + 4}`,
    name: 'an API server that does not serve all of its version: autocert doctor names each (api), with what to do',
    run: () => doctorNamesDisabledApis(manifestsOf(context)),
  };
  return [green, lesser, ...broken, mended, ...(ownNode && native ? [disabled] : [])];
}
