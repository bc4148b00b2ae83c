/**
 * The cdk8s app of step 23.8: pods that run as whom the platform says, as on OpenShift. A CA in a namespace of its own,
 * whose database is lost with the pod, since the volumes of the tests do not follow `fsGroup`; and webhook and signer of the
 * CA that the other steps use.
 * @module
 */
import { App, Chart } from 'cdk8s';
import { AutocertWebhook, CaDatabase, StepCa } from '../../constructs/index.ts';
import { SYSTEM } from '../../scripts/cluster/installation.ts';
import { PLATFORM_NAMESPACE } from './platform.ts';

const app = new App();
new StepCa(new Chart(app, 'platform-ca'), 'ca', {
  namespace: PLATFORM_NAMESPACE,
  database: CaDatabase.ephemeral(),
  userFromPlatform: true,
});
const ca = new StepCa(new Chart(app, 'step-ca'), 'ca', { namespace: SYSTEM });
new AutocertWebhook(new Chart(app, 'autocert'), 'autocert', { ca, userFromPlatform: true });
app.synth();
