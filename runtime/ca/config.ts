/**
 * Reads step-ca's `ca.json` for the embedded CA. What step-ca could do and this CA cannot is refused, never ignored: a
 * policy that is not enforced would be worse than none.
 * @module
 */
import { dirname, join, resolve } from 'node:path';
import { splitPem } from '../x509/certificate.ts';
import { AutocertError } from '../lib/errors.ts';
import type { JwkProvisioner } from '../step-ca/one-time-token.ts';
import { openKey } from '../x509/private-key.ts';
import { Secret } from '../lib/secret.ts';
import { readTextFile } from '../lib/text-file.ts';
import type { CaOptions } from './ca.ts';
import { DEFAULT_CLAIMS, overrideClaims } from './lifetimes.ts';

/** What `ca.json` says. */
export interface CaSettings extends Omit<CaOptions, 'log' | 'now'> {
  /** Where to listen. */
  readonly host: string;
  readonly port: number;
}

type Json = Readonly<Record<string, unknown>>;

const LEDGER = 'used-tokens.jsonl';

/** Settings that this CA has no answer to. */
const UNSUPPORTED = ['kms', 'ssh', 'crl', 'templates'] as const;
const UNSUPPORTED_AUTHORITY = ['policy', 'template', 'enableAdmin'] as const;

/** Reads the configuration and opens the intermediate's key with the password in a file. */
export function readCaSettings(configFile: string, passwordFile: string): CaSettings {
  const config = parseObject(readTextFile(configFile), configFile);
  const authority = objectOf(config.authority ?? {}, 'authority');
  const faults = [
    ...unsupported(config, UNSUPPORTED, ''),
    ...unsupported(authority, UNSUPPORTED_AUTHORITY, 'authority.'),
  ];
  const provisioners = listOf(authority.provisioners, 'authority.provisioners').map((value, index) => {
    const provisioner = objectOf(value, `authority.provisioners[${index}]`);
    const problem = provisionerProblem(provisioner);
    if (problem) faults.push(`authority.provisioners[${index}]: ${problem}`);
    return provisioner as unknown as JwkProvisioner;
  });
  if (faults.length > 0) {
    throw new AutocertError(
      'INVALID_CONFIG',
      `${configFile}: the embedded CA cannot do this, run step-ca: ${faults.join('; ')}`,
    );
  }
  const password = new Secret(readTextFile(passwordFile).trimEnd());
  const keyFile = textOf(config.key, 'key');
  return {
    ...addressOf(textOf(config.address, 'address')),
    roots: [config.root].flat().flatMap((file) => certificatesIn(textOf(file, 'root'))),
    federatedRoots: listOf(config.federatedRoots ?? [], 'federatedRoots').flatMap((file) =>
      certificatesIn(textOf(file, 'federatedRoots')),
    ),
    issuer: {
      certificatePem: certificatesIn(textOf(config.crt, 'crt'))[0] ?? '',
      key: openKey(new Secret(readTextFile(keyFile)), password, keyFile),
    },
    provisioners,
    dnsNames: listOf(config.dnsNames, 'dnsNames').map((name) => textOf(name, 'dnsNames')),
    claims: overrideClaims(DEFAULT_CLAIMS, objectOf(authority.claims ?? {}, 'authority.claims'), 'authority.claims'),
    // Beside step-ca's own database, which would not know what to do with it.
    ledgerFile: join(dirname(resolve(configFile)), '..', 'embedded-ca', LEDGER),
  };
}

function unsupported(config: Json, names: readonly string[], prefix: string): string[] {
  return names.filter((name) => config[name]).map((name) => `${prefix}${name}`);
}

function provisionerProblem({ type, name, key, encryptedKey, options }: Json): string | undefined {
  if (type !== 'JWK') return `type ${JSON.stringify(type)}, only JWK is known`;
  if (options !== undefined && options !== null) return 'options (templates, policies, webhooks)';
  const kid = typeof key === 'object' && key !== null && 'kid' in key ? key.kid : undefined;
  if (![name, kid, encryptedKey ?? ''].every((value) => typeof value === 'string'))
    return 'name, key.kid or encryptedKey is no text';
  return undefined;
}

function addressOf(address: string): { host: string; port: number } {
  const [, host = '', port] = /^(.*):(\d{1,5})$/.exec(address) ?? [];
  if (port === undefined) throw invalid('address', address, 'host:port or :port');
  return { host: host.replace(/^\[(.*)\]$/, '$1') || '::', port: Number(port) };
}

function certificatesIn(file: string): string[] {
  const certificates = splitPem(readTextFile(file));
  if (certificates.length > 0) return certificates;
  throw new AutocertError('INVALID_CONFIG', `${file} has no certificate in PEM`);
}

function parseObject(json: string, file: string): Json {
  try {
    return objectOf(JSON.parse(json), file);
  } catch (error) {
    if (error instanceof AutocertError) throw error;
    throw new AutocertError('INVALID_CONFIG', `${file} is not JSON`);
  }
}

function objectOf(value: unknown, where: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  throw invalid(where, value, 'an object');
}

function listOf(value: unknown, where: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw invalid(where, value, 'a list');
}

function textOf(value: unknown, where: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw invalid(where, value, 'a text');
}

function invalid(where: string, got: unknown, wanted: string): AutocertError {
  return new AutocertError(
    'INVALID_CONFIG',
    `${where}: wanted ${wanted}, got ${(JSON.stringify(got) ?? 'nothing').slice(0, 80)}`,
  );
}
