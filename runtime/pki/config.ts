/**
 * step-ca's configuration: the synthesized template, which has no secrets in it, together with the provisioners, which
 * only exist once the PKI does.
 * @module
 */
import { renameSync, writeFileSync } from 'node:fs';
import { AutocertError, messageOf } from '../lib/errors.ts';
import { readTextFile } from '../lib/text-file.ts';

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

type Json = Readonly<Record<string, unknown>>;

/** Adds the provisioners (to any that the template has) and the data source. */
export function composeCaConfig(template: unknown, provisioners: unknown, dataSource?: string): Json {
  const config = objectAt(template, 'template');
  const authority = objectAt(config.authority ?? {}, 'template: authority');
  const all = [
    ...listAt(authority.provisioners ?? [], 'template: authority.provisioners'),
    ...listAt(provisioners, 'provisioners'),
  ];
  const names = all.map((provisioner, index) => nameOf(provisioner, index));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new AutocertError(
      'INVALID_CONFIG',
      `provisioner ${JSON.stringify(twice)} is there twice: rename that of the template`,
    );
  }
  const database = dataSource === undefined ? {} : { db: { ...objectAt(config.db, 'template: db'), dataSource } };
  return { ...config, ...database, authority: { ...authority, provisioners: all } };
}

/** Reads the template and the provisioners, writes the configuration. */
export function composeConfigFile({ template, provisioners, out, dataSourceFile }: ComposeConfigOptions): void {
  const dataSource = dataSourceFile === undefined ? undefined : readTextFile(dataSourceFile).trim();
  const config = composeCaConfig(readJson(template), readJson(provisioners), dataSource);
  // Readable by the CA, which runs as another user: the volume is the pod's own, in which the Secrets are as readable.
  writeFileSync(`${out}.new`, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o644 });
  renameSync(`${out}.new`, out);
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readTextFile(file));
  } catch (error) {
    if (error instanceof AutocertError) throw error;
    throw new AutocertError('INVALID_CONFIG', `${file} is not JSON (${messageOf(error).slice(0, 200)})`);
  }
}

function objectAt(value: unknown, where: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  throw new AutocertError('INVALID_CONFIG', `${where} has to be an object, got ${describe(value)}`);
}

function listAt(value: unknown, where: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new AutocertError('INVALID_CONFIG', `${where} has to be a list, got ${describe(value)}`);
}

function nameOf(provisioner: unknown, index: number): string {
  const { name } = objectAt(provisioner, `provisioner ${index}`);
  if (typeof name === 'string' && name !== '') return name;
  throw new AutocertError('INVALID_CONFIG', `provisioner ${index}: name has to be a text, got ${describe(name)}`);
}

const describe = (value: unknown) => (JSON.stringify(value) ?? 'nothing').slice(0, 80);
