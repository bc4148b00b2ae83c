/**
 * The cdk8s app of the migration's steps, as docs/migration.md has it: Autocert beside the Go original, in a namespace and
 * with a label of its own, below the same root. The files are in `MIGRATION_PKI`, the mode is `MIGRATION_MODE`.
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, Chart } from 'cdk8s';
import { AutocertWebhook, Pki, StepCa } from '../../../constructs/index.ts';

/** Namespace and label of the new installation. */
export const NEW = { namespace: 'tls', label: 'autocert.example.com=enabled' } as const;

if (import.meta.main) {
  const read = (file: string) => readFileSync(join(process.env.MIGRATION_PKI ?? '', 'certs', file), 'utf8');
  const pki = Pki.existing({
    rootCertificate: read('root_ca.crt'),
    intermediateCertificate: read('intermediate_ca.crt'),
  });
  const app = new App();
  const { namespace, label: namespaceLabel } = NEW;
  const ca = new StepCa(new Chart(app, 'step-ca'), 'ca', { namespace, pki });
  new AutocertWebhook(new Chart(app, 'autocert'), 'autocert', {
    ca,
    namespaceLabel,
    mode: process.env.MIGRATION_MODE === 'report' ? 'report' : 'enforce',
    excludedNamespaces: ['step'],
    reservedNames: ['**.step.svc', '**.step.svc.cluster.local', '**.step'],
  });
  app.synth();
}
