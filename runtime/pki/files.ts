/**
 * A PKI in a folder, laid out as `step ca init` does it: real step-ca starts on it, and so does the embedded CA.
 * @module
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { PkiFile } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import type { Secret } from '../lib/secret.ts';
import { parseName } from '../policy/names.ts';
import { composeCaConfig } from '../step-ca/ca-config.ts';
import { parseListenAddress } from '../step-ca/listen-address.ts';
import { createPki, type Pki } from './pki.ts';

/** Options of {@link initPki}. */
export interface InitPkiOptions {
  /** Folder (step's `STEPPATH`); made when it is not there. */
  readonly dir: string;
  /** @default 'Autocert' */
  readonly name?: string;
  /** Names and addresses at which the CA is reached. @default ['localhost', '127.0.0.1'] */
  readonly dnsNames?: readonly string[];
  /** Address to listen on, `host:port`. @default '127.0.0.1:4443' */
  readonly address?: string;
  /** step-ca's `authority.claims`, such as `maxTLSCertDuration`. @default - step-ca's: 24 h, at least 5 m */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Also writes both passwords, to files only this user can read. @default false */
  readonly passwordFiles?: boolean;
  /** @default - the clock's time */
  readonly now?: Date;
}

/** Files of {@link initPki}, absolute paths. */
export interface PkiFolder {
  readonly rootFile: string;
  readonly intermediateFile: string;
  readonly rootKeyFile: string;
  readonly intermediateKeyFile: string;
  /** For `step-ca` and `autocert ca`. */
  readonly configFile: string;
  /** For `step`: URL, fingerprint and root of the CA. */
  readonly defaultsFile: string;
  /** The provisioners by themselves, for the Secret `ca-provisioners` of a cluster that is to run on this PKI. */
  readonly provisionersFile: string;
  /** There only with `passwordFiles`. */
  readonly caPasswordFile: string;
  readonly autocertPasswordFile: string;
}

/** What {@link initPki} made, to be shown once. */
export interface InitializedPki extends PkiFolder {
  readonly pki: Pki;
  readonly caUrl: string;
}

/** Where the files of a PKI are in `dir`. */
function pkiFolder(dir: string): PkiFolder {
  const at = (...path: string[]) => join(resolve(dir), ...path);
  return {
    rootFile: at('certs', PkiFile.root),
    intermediateFile: at('certs', PkiFile.intermediate),
    rootKeyFile: at('secrets', PkiFile.rootKey),
    intermediateKeyFile: at('secrets', PkiFile.intermediateKey),
    configFile: at('config', 'ca.json'),
    defaultsFile: at('config', 'defaults.json'),
    provisionersFile: at('config', PkiFile.provisioners),
    caPasswordFile: at('secrets', 'ca_password'),
    autocertPasswordFile: at('secrets', 'autocert_password'),
  };
}

/**
 * Makes a PKI and writes it to a folder. What is there is never overwritten.
 * @throws AutocertError `INVALID_INPUT` when the folder has a PKI already, or a name or the address is none.
 */
export async function initPki(options: InitPkiOptions): Promise<InitializedPki> {
  const files = pkiFolder(options.dir);
  const existing = Object.values(files).find(existsSync);
  if (existing !== undefined) {
    throw new AutocertError(
      'INVALID_INPUT',
      `${existing} exists: there is a PKI already; give another folder, or move it away`,
    );
  }
  const { dnsNames = ['localhost', '127.0.0.1'], address = '127.0.0.1:4443' } = options;
  const caUrl = `https://${urlHost(hostNames(dnsNames)[0])}:${parseListenAddress(address).port}`;
  const pki = await createPki(options.name ?? 'Autocert', options.now);
  for (const folder of ['certs', 'secrets', 'config', 'db']) {
    mkdirSync(join(options.dir, folder), { recursive: true, mode: 0o700 });
  }
  writeNew(files.rootFile, pki.rootPem, 0o644);
  writeNew(files.intermediateFile, pki.intermediatePem, 0o644);
  writeSecret(files.rootKeyFile, pki.rootKeyPem);
  writeSecret(files.intermediateKeyFile, pki.intermediateKeyPem);
  if (options.passwordFiles) {
    writeSecret(files.caPasswordFile, pki.caPassword);
    writeSecret(files.autocertPasswordFile, pki.autocertPassword);
  }
  const defaults = {
    'ca-url': caUrl,
    'ca-config': files.configFile,
    fingerprint: pki.fingerprint,
    root: files.rootFile,
  };
  writeNew(files.defaultsFile, json(defaults), 0o644);
  writeNew(files.provisionersFile, json(pki.provisioners), 0o644);
  // Last, because a CA that finds its configuration may rely on all the rest.
  const template = configTemplate(files, {
    dnsNames,
    address,
    claims: options.claims,
    database: join(resolve(options.dir), 'db'),
  });
  writeNew(files.configFile, json(composeCaConfig(template, pki.provisioners)), 0o644);
  return { pki, caUrl, ...files };
}

interface TemplateOptions {
  readonly dnsNames: readonly string[];
  readonly address: string;
  readonly claims: Readonly<Record<string, unknown>> | undefined;
  readonly database: string;
}

/** step-ca's `ca.json`, but for the provisioners. */
function configTemplate(files: PkiFolder, { dnsNames, address, claims, database }: TemplateOptions) {
  return {
    root: files.rootFile,
    crt: files.intermediateFile,
    key: files.intermediateKeyFile,
    address,
    dnsNames,
    logger: { format: 'text' },
    db: { type: 'badgerv2', dataSource: database },
    authority: claims ? { claims } : {},
  };
}

/** At least one host name or IP address. */
function hostNames(names: readonly string[]): readonly [string, ...string[]] {
  const [first, ...others] = names.map((name) => {
    const { kind, value } = parseName(name);
    if (kind !== 'uri') return value;
    throw new AutocertError(
      'INVALID_INPUT',
      `${JSON.stringify(name)} is a URI: a CA is reached by host name or address`,
    );
  });
  if (first !== undefined) return [first, ...others];
  throw new AutocertError('INVALID_INPUT', 'the CA has no name: give at least one host name or IP address');
}

const urlHost = (name: string) => (name.includes(':') ? `[${name}]` : name);

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

const writeNew = (file: string, text: string, mode: number) => writeFileSync(file, text, { mode, flag: 'wx' });

const writeSecret = (file: string, secret: Secret) => writeNew(file, secret.reveal(), 0o600);
