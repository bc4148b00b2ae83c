/**
 * What the attacks are made on: the defaults, and a neighbour who may have a name that the attacker is not to learn of.
 * @module
 */
import { App, Chart } from 'cdk8s';
import { AutocertNamespace, AutocertWebhook, StepCa } from '../../../constructs/index.ts';

const app = new App();
const ca = new StepCa(new Chart(app, 'step-ca'), 'ca');
const autocert = new Chart(app, 'autocert');
const webhook = new AutocertWebhook(autocert, 'autocert', { ca });
new AutocertNamespace(autocert, 'neighbour', { webhook, name: 'e2e-alice', allowedNames: ['*.secret.example.com'] });
app.synth();
