/**
 * Settings of step-ca that are none of ours: its manual has them, and they go into `ca.json` as they are. What these
 * constructs set themselves is refused, by name, and so is what is a secret: it is all in a ConfigMap.
 * @module
 */
import { PkiObject, Provisioner } from '../runtime/contract.ts';
import { checkList, checkText, isObject, refuse } from './validation.ts';

/** A provisioner as step-ca's `ca.json` has it, of any type but those that Autocert brings. */
export interface CaProvisionerOptions {
  /** Such as `ACME` or `OIDC`. */
  readonly type: string;
  /** Name, by which people choose it and which is a part of ACME's address. Not `autocert`, and not `admin`. */
  readonly name: string;
  /** What provisioners of this type have besides. */
  readonly [setting: string]: unknown;
}

/** Settings, JSON. */
export type CaSettings = Readonly<Record<string, unknown>>;

/** What step-ca can be told besides, checked. */
export interface MoreOfCa {
  readonly config: CaSettings;
  readonly provisioners: readonly CaProvisionerOptions[];
}

/** As much of a ConfigMap as others may have; a ConfigMap takes 1 MiB. */
const MAX_BYTES = 256 * 1024;
const MAX_DEPTH = 20;

/** Keys of `ca.json` that are ours, and where to say it instead. */
const OWN: Readonly<Record<string, string>> = {
  root: 'set pki',
  crt: 'set pki',
  key: 'set pki: Pki.existing({ intermediateKey }) for one in a KMS',
  federatedRoots: 'set federatedRoots',
  dnsNames: 'set dnsNames',
  db: 'set database',
  password: 'it is in the Secret of pki',
  address: 'Service, NetworkPolicies and probes go by it',
  metricsAddress: 'NetworkPolicies and AutocertMonitoring go by it',
};
const OWN_AUTHORITY: Readonly<Record<string, string>> = {
  claims: 'set defaultDuration, minDuration and maxDuration; a provisioner may have claims of its own',
  provisioners: 'set provisioners',
  enableAdmin: 'step-ca would take its provisioners from its database, and not those of the Secret',
};

/** Names of settings that are secrets of their owner. */
const SECRET = /^(pin|challenge|.*password)$/i;
/** In a URI, a secret of a PKCS #11 token. */
const PIN_VALUE = /[;?&]pin-value=/i;

/** Checks both props. No message has a value in it that may be a secret. */
export function checkMoreOfCa(props: { readonly config?: unknown; readonly provisioners?: unknown }): MoreOfCa {
  const config = checkSettings('config', props.config ?? {});
  refuseOwn('config', config, OWN);
  if (config.authority !== undefined) {
    refuseOwn('config.authority', checkSettings('config.authority', config.authority), OWN_AUTHORITY);
  }
  const given = props.provisioners ?? [];
  if (!Array.isArray(given)) throw new Error('provisioners: it takes a list');
  const provisioners = checkList('provisioners', given, checkProvisioner);
  refuseTwice('name', provisioners);
  // step-ca knows those of this type by it, and starts with no two that are the same.
  refuseTwice(
    'clientID',
    provisioners.filter(({ type }) => type.toUpperCase() === 'OIDC'),
  );
  const bytes = Buffer.byteLength(JSON.stringify([config, provisioners]));
  if (bytes > MAX_BYTES) {
    refuse(
      'config',
      `${bytes} bytes`,
      `with provisioners it takes ${MAX_BYTES} bytes at most, for it is in a ConfigMap`,
    );
  }
  return { config, provisioners };
}

function refuseTwice(key: 'name' | 'clientID', provisioners: readonly CaProvisionerOptions[]): void {
  const values = provisioners.map((one) => one[key]);
  const twice = values.find((value, index) => value !== undefined && values.indexOf(value) !== index);
  if (twice !== undefined)
    refuse('provisioners', twice, `they take a ${key} of their own each, and this is there twice`);
}

function refuseOwn(prop: string, settings: CaSettings, own: Readonly<Record<string, string>>): void {
  for (const [key, advice] of Object.entries(own)) {
    if (Object.hasOwn(settings, key)) throw new Error(`${prop}.${key}: these constructs set it: ${advice}`);
  }
}

function checkSettings(prop: string, value: unknown): CaSettings {
  if (!isObject(value)) throw new Error(`${prop}: it takes an object`);
  checkJson(prop, value, 0);
  return value as CaSettings;
}

function checkProvisioner(prop: string, value: unknown): CaProvisionerOptions {
  const { type, name } = checkSettings(prop, value);
  checkText(`${prop}.type`, type);
  const text = checkText(`${prop}.name`, name);
  if (Object.values<string>(Provisioner).includes(text)) {
    refuse(`${prop}.name`, text, 'that one is Autocert’s, in the Secret of pki: give yours another name');
  }
  return value as CaProvisionerOptions;
}

/** That a value is JSON all through, and no secret. */
function checkJson(prop: string, value: unknown, depth: number): void {
  if (depth > MAX_DEPTH) throw new Error(`${prop}: it takes objects and lists in each other ${MAX_DEPTH} deep at most`);
  if (value === null || typeof value === 'boolean' || Number.isFinite(value)) return;
  if (typeof value === 'string') {
    if (PIN_VALUE.test(value)) refuseSecret(prop, 'take pin-source, with a file');
  } else if (Array.isArray(value)) {
    for (const [index, element] of value.entries()) checkJson(`${prop}[${index}]`, element, depth + 1);
  } else if (isObject(value)) {
    for (const [key, element] of Object.entries(value)) {
      const advice = `put a provisioner with one into the Secret ${PkiObject.provisioners}`;
      if (SECRET.test(key)) refuseSecret(`${prop}.${key}`, advice);
      checkJson(`${prop}.${key}`, element, depth + 1);
    }
  } else throw new Error(`${prop}: it takes JSON: objects, lists, strings, numbers, true, false and null`);
}

function refuseSecret(prop: string, advice: string): never {
  throw new Error(`${prop}: it is a secret, and would be in a ConfigMap: ${advice}`);
}
