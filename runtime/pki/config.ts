/**
 * step-ca's configuration: the synthesized template, which has no secrets in it, together with the provisioners, which
 * only exist once the PKI does.
 * @module
 */
import { renameSync, writeFileSync } from 'node:fs';
import { AutocertError } from '../lib/errors.ts';
import { readTextFile } from '../lib/text-file.ts';
import { type Check, list, object, readJsonFile, text } from '../lib/validator.ts';
import { type ConfiguredProvisioner, type Settings, withAutocertRules } from '../step-ca/provisioner.ts';

/** Paths of {@link composeConfigFile}. */
export interface ComposeConfigOptions {
  /** step-ca's configuration without the provisioners, JSON. */
  readonly template: string;
  /** List of provisioners, JSON. */
  readonly provisioners: string;
  /** Where the configuration goes. */
  readonly out: string;
  /** File with the database's data source, which may hold a password; absent: as the template has it. */
  readonly dataSourceFile?: string;
}

/** step-ca's configuration, as far as it is looked into. */
type CaTemplate = Settings & {
  readonly db?: object | null;
  readonly authority?: (Settings & { readonly provisioners?: readonly ConfiguredProvisioner[] | null }) | null;
};

/** Go writes what is absent as `null`, too. */
const orNull =
  (check: Check): Check =>
  (value) => {
    if (value !== null && value !== undefined) check(value);
  };
const PROVISIONERS = list(
  object({ name: text, claims: orNull(object({})), options: orNull(object({ x509: orNull(object({})) })) }),
);
const TEMPLATE = object({ db: orNull(object({})), authority: orNull(object({ provisioners: orNull(PROVISIONERS) })) });

/**
 * Adds the provisioners (to any that the template has) and the data source. The provisioner `autocert` always gets its
 * rules: also in a cluster whose PKI was made before there were any.
 */
export function composeCaConfig(
  template: CaTemplate,
  provisioners: readonly ConfiguredProvisioner[],
  dataSource?: string,
): Settings {
  const all = [...(template.authority?.provisioners ?? []), ...provisioners];
  const names = all.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new AutocertError(
      'INVALID_CONFIG',
      `provisioner ${JSON.stringify(twice)} is there twice: rename that of the template`,
    );
  }
  return {
    ...template,
    ...(dataSource !== undefined && { db: { ...template.db, dataSource } }),
    authority: { ...template.authority, provisioners: all.map(withAutocertRules) },
  };
}

/** Reads the template and the provisioners, writes the configuration. */
export function composeConfigFile({ template, provisioners, out, dataSourceFile }: ComposeConfigOptions): void {
  const config = composeCaConfig(
    readJsonFile(template, TEMPLATE) as CaTemplate,
    readJsonFile(provisioners, PROVISIONERS) as ConfiguredProvisioner[],
    dataSourceFile === undefined ? undefined : readTextFile(dataSourceFile).trim(),
  );
  // Readable by the CA, which runs as another user: the volume is the pod's own, in which the Secrets are as readable.
  writeFileSync(`${out}.new`, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o644 });
  renameSync(`${out}.new`, out);
}
