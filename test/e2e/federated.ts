/**
 * The cdk8s app of steps 28.x: `main.ts`, federated with the PKI whose root is in the file `FEDERATED_ROOT`.
 * @module
 */
import { readFileSync } from 'node:fs';
import { App, Chart } from 'cdk8s';
import { AutocertWebhook, StepCa } from '../../constructs/index.ts';

const app = new App();
const federatedRoots = [readFileSync(process.env.FEDERATED_ROOT ?? '', 'utf8')];
const ca = new StepCa(new Chart(app, 'step-ca'), 'ca', { federatedRoots });
new AutocertWebhook(new Chart(app, 'autocert'), 'autocert', { ca });
app.synth();
