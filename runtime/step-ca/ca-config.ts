/**
 * step-ca's configuration: the synthesized template, which has no secrets in it, together with the provisioners, which
 * only exist once the PKI does. Pure.
 * @module
 */
import type { CaNameRules } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import { type Check, list, object, text } from '../lib/validator.ts';
import { type ConfiguredProvisioner, type Settings, withAutocertRules } from './provisioner.ts';

/** step-ca's configuration, as far as it is looked into. */
export type CaTemplate = Settings & {
  readonly federatedRoots?: readonly string[] | null;
  readonly db?: object | null;
  /** URI of the intermediate's key in a KMS. Absent: it is a file. */
  readonly key?: string | null;
  readonly authority?: (Settings & { readonly provisioners?: readonly ConfiguredProvisioner[] | null }) | null;
};

/** Go writes what is absent as `null`, too. */
export const orNull =
  (check: Check): Check =>
  (value) => {
    if (value !== null && value !== undefined) check(value);
  };

/** What a list of provisioners has to be. */
export const PROVISIONERS = list(
  object({ name: text, claims: orNull(object({})), options: orNull(object({ x509: orNull(object({})) })) }),
);

/** What a {@link CaTemplate} has to be. */
export const TEMPLATE = object({
  federatedRoots: orNull(list(text)),
  db: orNull(object({})),
  key: orNull(text),
  authority: orNull(object({ provisioners: orNull(PROVISIONERS) })),
});

/** What a configuration may have besides. */
export interface CaConfigParts {
  /** Data source of a shared database. */
  readonly dataSource?: string | undefined;
  /** Which names the provisioner `autocert` signs. @default - any */
  readonly names?: CaNameRules | undefined;
}

/**
 * Adds the provisioners (to any that the template has) and the data source. The provisioner `autocert` always gets its
 * rules: also in a cluster whose PKI was made before there were any.
 */
export function composeCaConfig(
  template: CaTemplate,
  provisioners: readonly ConfiguredProvisioner[],
  { dataSource, names: rules }: CaConfigParts = {},
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
    authority: { ...template.authority, provisioners: all.map((one) => withAutocertRules(one, rules)) },
  };
}
