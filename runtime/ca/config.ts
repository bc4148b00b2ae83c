/**
 * Reads step-ca's `ca.json` for the embedded CA. What step-ca could do and this CA cannot is refused, never ignored: a
 * policy that is not enforced would be worse than none.
 * @module
 */
import { AutocertError } from '../lib/errors.ts';
import { Secret } from '../lib/secret.ts';
import { readTextFile } from '../lib/text-file.ts';
import { asText, type Check, isRecord, list, object, optional, readJsonFile, shown, text } from '../lib/validator.ts';
import { type ListenAddress, parseListenAddress } from '../step-ca/listen-address.ts';
import type { JwkProvisioner } from '../step-ca/one-time-token.ts';
import { LEAF_TEMPLATE } from '../step-ca/provisioner.ts';
import { splitPem } from '../x509/certificate.ts';
import { openKey } from '../x509/private-key.ts';
import type { CaOptions } from './ca.ts';
import { DEFAULT_CLAIMS, overrideClaims } from './lifetimes.ts';

/** What `ca.json` says. */
export interface CaSettings extends Omit<CaOptions, 'log' | 'now'> {
  readonly listen: ListenAddress;
}

/** As much of `ca.json` as this CA knows. */
interface CaJson {
  readonly root: string | readonly string[];
  readonly federatedRoots?: readonly string[];
  readonly crt: string;
  readonly key: string;
  readonly address: string;
  readonly dnsNames: readonly string[];
  readonly authority: {
    readonly provisioners: readonly JwkProvisioner[];
    readonly claims?: Readonly<Record<string, unknown>>;
  };
}

/** A setting, and a kind of provisioner, that this CA has no answer to. */
const unsupported: Check = (value) => {
  if (value) throw new Error('the embedded CA cannot do this, run step-ca');
};

/** Of a provisioner's options, the template of `autocert` is known. */
const options: Check = (value) => {
  const { x509, ...others } = isRecord(value) ? value : {};
  const { template, ...more } = isRecord(x509) ? x509 : {};
  const isKnown = template === undefined || template === LEAF_TEMPLATE;
  if (!isKnown || [...Object.values(others), ...Object.values(more)].some(Boolean)) unsupported(value);
};

const provisioner = object({
  type: (value) => {
    if (value !== 'JWK') throw new Error(`the embedded CA knows JWK alone, got ${shown(value)}: run step-ca`);
  },
  name: text,
  key: object({ kid: text }),
  encryptedKey: optional(asText('a text', () => {})),
  claims: optional(object({})),
  options,
});

const CA_JSON = object({
  root: (value) => (Array.isArray(value) ? list(text, { atLeast: 1 }) : text)(value),
  federatedRoots: optional(list(text)),
  crt: text,
  key: text,
  address: asText('host:port or :port', parseListenAddress),
  dnsNames: list(text, { atLeast: 1 }),
  kms: unsupported,
  ssh: unsupported,
  crl: unsupported,
  templates: unsupported,
  authority: object({
    provisioners: list(provisioner),
    claims: optional(object({})),
    policy: unsupported,
    template: unsupported,
    enableAdmin: unsupported,
  }),
});

/** Reads the configuration and opens the intermediate's key with the password in a file. */
export function readCaSettings(configFile: string, passwordFile: string): CaSettings {
  const {
    root,
    federatedRoots = [],
    crt,
    key,
    address,
    dnsNames,
    authority,
  } = readJsonFile(configFile, CA_JSON) as CaJson;
  const password = new Secret(readTextFile(passwordFile).trimEnd());
  return {
    listen: parseListenAddress(address),
    roots: [root].flat().flatMap(certificatesIn),
    federatedRoots: federatedRoots.flatMap(certificatesIn),
    issuer: {
      certificatePem: certificatesIn(crt)[0] ?? '',
      key: openKey(new Secret(readTextFile(key)), password, key),
    },
    provisioners: authority.provisioners,
    dnsNames,
    claims: overrideClaims(DEFAULT_CLAIMS, authority.claims ?? {}, 'authority.claims'),
  };
}

function certificatesIn(file: string): string[] {
  const certificates = splitPem(readTextFile(file));
  if (certificates.length > 0) return certificates;
  throw new AutocertError('INVALID_CONFIG', `${file} has no certificate in PEM`);
}
