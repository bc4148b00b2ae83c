/**
 * Reads the configuration files of webhook and signer: every fault at once, each with its path.
 * Unknown settings are ignored (a newer manifest may be read by an older program), but not those of a namespace:
 * there a misspelt limit would be no limit.
 * @module
 */
import type { Delivery, PolicyConfig, SidecarStyle, SignerConfig, WebhookConfig } from '../contract.ts';
import { parseDuration } from './duration.ts';
import { AutocertError, messageOf } from './errors.ts';
import { patternProblem } from './name-policy.ts';
import { hostProblem, parseName } from './names.ts';
import { readTextFile } from './text-file.ts';

/** A check throws a plain sentence on what is wanted; the path goes before it. */
type Check = (value: unknown) => void;
type Shape = Readonly<Record<string, Check>>;

/** Collects the faults of nested values with their paths. */
class Faults extends Error {
  readonly list: readonly string[];

  constructor(list: readonly string[]) {
    super(list.join('; '));
    this.list = list;
  }
}

/**
 * Reads the webhook's configuration.
 * @throws AutocertError `INVALID_CONFIG` with every fault.
 */
export function readWebhookConfig(file: string): WebhookConfig {
  return readConfig(file, WEBHOOK) as WebhookConfig;
}

/**
 * Reads the signer's configuration.
 * @throws AutocertError `INVALID_CONFIG` with every fault.
 */
export function readSignerConfig(file: string): SignerConfig {
  return readConfig(file, SIGNER) as SignerConfig;
}

function readConfig(file: string, shape: Shape): unknown {
  const json = readTextFile(file);
  try {
    const value: unknown = JSON.parse(json);
    object(shape)(value);
    durationsInOrder(value as PolicyConfig);
    return value;
  } catch (error) {
    const text = error instanceof Faults ? error.list.map((fault) => `\n  ${fault}`).join('') : ` ${messageOf(error)}`;
    throw new AutocertError('INVALID_CONFIG', `configuration ${file}:${text}`);
  }
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

function wanted(what: string, value: unknown): Error {
  return new Error(`must be ${what}, got ${shown(value)}`);
}

function collect(entries: Iterable<readonly [path: string, check: Check, value: unknown]>): void {
  const faults: string[] = [];
  for (const [path, check, value] of entries) {
    try {
      check(value);
    } catch (error) {
      if (!(error instanceof Faults)) faults.push(`${path}: ${messageOf(error)}`);
      else for (const fault of error.list) faults.push(`${path}${/^\[/.test(fault) ? '' : '.'}${fault}`);
    }
  }
  if (faults.length > 0) throw new Faults(faults);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function object(shape: Shape, options: { readonly strict?: boolean } = {}): Check {
  return (value) => {
    if (!isRecord(value)) throw wanted('an object', value);
    const unknown = options.strict ? Object.keys(value).filter((key) => !Object.hasOwn(shape, key)) : [];
    collect([
      ...Object.entries(shape).map(([key, check]) => [key, check, value[key]] as const),
      ...unknown.map((key) => [key, unknownSetting(shape), value[key]] as const),
    ]);
  };
}

function unknownSetting(shape: Shape): Check {
  return () => {
    throw new Error(`is no setting; known are ${Object.keys(shape).join(', ')}`);
  };
}

function mapOf(check: Check): Check {
  return (value) => {
    if (!isRecord(value)) throw wanted('an object', value);
    collect(Object.entries(value).map(([key, item]) => [key, check, item] as const));
  };
}

function list(check: Check, { atLeast = 0 } = {}): Check {
  return (value) => {
    if (!Array.isArray(value)) throw wanted('a list', value);
    if (value.length < atLeast) throw wanted(`a list of at least ${atLeast}`, value);
    collect(value.map((item: unknown, index) => [`[${index}]`, check, item] as const));
  };
}

function optional(check: Check): Check {
  return (value) => {
    if (value !== undefined) check(value);
  };
}

const text: Check = (value) => {
  if (typeof value !== 'string' || value === '') throw wanted('a text', value);
};

function asText(what: string, accept: (value: string) => unknown): Check {
  return (value) => {
    if (typeof value !== 'string') throw wanted(what, value);
    accept(value);
  };
}

const duration = asText('a duration, such as "24h"', (value) => {
  if (parseDuration(value) <= 0) throw wanted('a duration longer than nothing', value);
});

const hostName = asText('a host name', (value) => {
  const problem = value === '' ? 'it is empty' : hostProblem(value, false);
  if (problem) throw new Error(`${wanted('a host name', value).message}: ${problem}`);
});

const subjectName = asText('a host name or IP address', parseName);

const pattern = asText('a pattern of names, such as "*.example.com"', (value) => {
  const problem = patternProblem(value);
  if (problem) throw new Error(problem);
});

const httpsUrl = asText('an https:// URL', (value) => {
  const url = URL.parse(value);
  if (url?.protocol !== 'https:' || url.username || url.search || url.hash) throw wanted('an https:// URL', value);
});

const port: Check = (value) => {
  // 0 lets the system choose, which is what tests do.
  if (!Number.isInteger(value) || Number(value) < 0 || Number(value) > 65535)
    throw wanted('a port (0 to 65535)', value);
};

const share: Check = (value) => {
  if (typeof value !== 'number' || !(value > 0 && value < 1)) throw wanted('a number between 0 and 1', value);
};

function oneOf(...values: readonly string[]): Check {
  return (value) => {
    if (!values.some((known) => known === value)) throw wanted(`one of ${values.join(', ')}`, value);
  };
}

const POLICY: Shape = {
  clusterDomain: hostName,
  defaultDuration: duration,
  minDuration: duration,
  maxDuration: duration,
  namespaces: mapOf(
    object({ allowedNames: optional(list(pattern)), maxDuration: optional(duration) }, { strict: true }),
  ),
};

const CA: Shape = { caUrl: httpsUrl, rootFile: text, provisioner: text, provisionerPasswordFile: text };

const WEBHOOK: Shape = {
  ...POLICY,
  ...CA,
  autocertUrl: httpsUrl,
  servingNames: list(subjectName, { atLeast: 1 }),
  port,
  agent: object({
    image: text,
    imagePullPolicy: oneOf('Always', 'IfNotPresent', 'Never'),
    resources: object({ requests: mapOf(text), limits: mapOf(text) }),
  }),
  delivery: oneOf(...(['auto', 'native', 'sidecar'] satisfies Delivery[])),
  sidecar: oneOf(...(['auto', 'native', 'classic'] satisfies SidecarStyle[])),
};

const SIGNER: Shape = {
  ...POLICY,
  ...CA,
  lease: object({ namespace: text, name: text }),
  port,
  renewAt: optional(share),
};

/** min ≤ default ≤ max, and no namespace's maximum below the CA's minimum, where no certificate could be issued. */
function durationsInOrder(policy: PolicyConfig): void {
  const [min, usual, max] = [policy.minDuration, policy.defaultDuration, policy.maxDuration].map(parseDuration);
  const faults: string[] = [];
  const order = (path: string, given: string, ok: boolean, what: string) => {
    if (!ok) faults.push(`${path}: must be ${what}, got ${shown(given)}`);
  };
  if (min === undefined || usual === undefined || max === undefined) return;
  order('maxDuration', policy.maxDuration, min <= max, `at least minDuration (${policy.minDuration})`);
  order(
    'defaultDuration',
    policy.defaultDuration,
    min <= usual && usual <= max,
    `between minDuration and maxDuration (${policy.minDuration} to ${policy.maxDuration})`,
  );
  for (const [name, { maxDuration }] of Object.entries(policy.namespaces)) {
    if (maxDuration === undefined) continue;
    order(
      `namespaces.${name}.maxDuration`,
      maxDuration,
      parseDuration(maxDuration) >= min,
      `at least minDuration (${policy.minDuration})`,
    );
  }
  if (faults.length > 0) throw new Faults(faults);
}
