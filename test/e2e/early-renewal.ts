/**
 * The cdk8s app of `npm run e2e -- --long`: `main.ts`, but kubelet renews as early as the API allows.
 * @module
 */
import { App, Chart } from 'cdk8s';
import { AutocertWebhook, StepCa } from '../../constructs/index.ts';

const app = new App();
const ca = new StepCa(new Chart(app, 'step-ca'), 'ca');
new AutocertWebhook(new Chart(app, 'autocert'), 'autocert', { ca, signer: { renewAt: 0.001 } });
app.synth();
