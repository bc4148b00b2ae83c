/**
 * The cdk8s app behind `dist/`: a CA and the webhook with their defaults. `npm run synth` writes the manifests,
 * `kubectl apply -f dist/` applies them in the order of their names.
 *
 * Change what the constructs are given here; `docs/constructs.md` has all of their props.
 * @module
 */
import { App, Chart } from 'cdk8s';
import {
  AutocertNamespace,
  type AutocertNamespaceProps,
  AutocertWebhook,
  StepCa,
  writeKustomization,
} from './constructs/index.ts';

/**
 * Namespaces with rules of their own, such as `{ name: 'shop', allowedNames: ['*.shop.example.com'] }`. Any other is
 * turned on with `kubectl label namespace default autocert.step.sm=enabled`.
 */
const NAMESPACES: readonly Omit<AutocertNamespaceProps, 'webhook'>[] = [];

/** Of CA, webhook and signer. `npm run overlay` sets the variable: it compares what is made for two namespaces. */
const NAMESPACE = process.env.AUTOCERT_NAMESPACE ?? 'step';

const app = new App();
const ca = new StepCa(new Chart(app, 'step-ca'), 'ca', { namespace: NAMESPACE });
const autocert = new Chart(app, 'autocert');
const webhook = new AutocertWebhook(autocert, 'autocert', { ca });
for (const namespace of NAMESPACES) new AutocertNamespace(autocert, namespace.name, { webhook, ...namespace });
app.synth();
writeKustomization(app);
