/**
 * All steps, in the order in which they run: that of the tutorial, but for what takes its time, which is begun early.
 * @module
 */
import { quickAttackSteps } from '../attacks/index.ts';
import type { Context, Step } from '../context.ts';
import { inOrder } from '../runner.ts';
import { clusterSteps } from './cluster.ts';
import { commandSteps } from './commands.ts';
import { doctorSteps } from './doctor.ts';
import { faultSteps } from './faults.ts';
import { federationSteps } from './federation.ts';
import { installSteps, recoverySteps } from './install.ts';
import { installCommandSteps, uninstallPreviewSteps } from './install-command.ts';
import { privilegeSteps } from './least-privilege.ts';
import { lifecycleSteps } from './lifecycle.ts';
import { longSteps } from './long.ts';
import { monitoringSteps } from './monitoring.ts';
import { nativeSteps } from './native.ts';
import { networkSteps } from './network.ts';
import { otherNamespaceStep } from './other-namespace.ts';
import { outageSteps } from './outage.ts';
import { outsideSteps } from './outside.ts';
import { registrySteps } from './registry.ts';
import { renewalSteps } from './renewal.ts';
import { restoreSteps } from './restore.ts';
import { rightsSteps } from './rights.ts';
import { rotationSteps } from './rotation.ts';
import { tutorialSteps } from './tutorial.ts';
import { workloadSteps } from './workloads.ts';

/** Numbers whose steps are one story: uninstalling, replacing the root, an outage, rights that end, a restore, a registry. */
const STORIES = ['11', '13', '15', '16', '19', '29'];

/** Numbers whose steps are for the second of two machines that share them: what waits most, and what others would feel. */
const SECOND_HALF = ['11', '13', '17', '19', '26', '28', '29'];

/** Which half of the steps. */
export type Half = 1 | 2;

/** The numbers of the steps of a half. */
export function numbersOf(half: Half, steps: readonly Step[]): string[] {
  const numbers = new Set(steps.map(({ id }) => id.split('.')[0] ?? ''));
  return [...numbers].filter((number) => SECOND_HALF.includes(number) === (half === 2));
}

/** The steps for this cluster. */
export function allSteps(context: Context): Step[] {
  const renewal = renewalSteps(context);
  const rotation = rotationSteps(context, renewal.greetings);
  const rights = rightsSteps(context);
  const long = longSteps(context);
  const steps = [
    ...clusterSteps(context),
    ...installSteps(context),
    ...installCommandSteps(context), // before a configuration is patched by hand, which is a conflict then
    ...doctorSteps(context), // before anything else runs that would feel what they break
    renewal.deploy,
    ...long.deploy,
    ...recoverySteps(context),
    ...rights.begin,
    ...tutorialSteps(context),
    ...commandSteps(context),
    ...uninstallPreviewSteps(context),
    ...outsideSteps(context),
    ...workloadSteps(context),
    ...outageSteps(context),
    ...rights.follow, // before the manifests are applied anew
    ...long.look, // before kubelet is restarted, which makes it renew
    ...rotation.announce,
    ...nativeSteps(context),
    ...monitoringSteps(context),
    ...networkSteps(context),
    ...faultSteps(context),
    ...quickAttackSteps(context),
    ...renewal.look,
    ...rights.look,
    ...privilegeSteps(context),
    ...restoreSteps(context, renewal.greetings), // native pods renew after it in the rotation
    ...rotation.replace,
    ...federationSteps(context),
    ...lifecycleSteps(context),
    otherNamespaceStep(context),
    ...registrySteps(context), // nothing after it has an image
  ];
  return inOrder(steps, STORIES);
}
