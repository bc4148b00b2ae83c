/**
 * The agent's settings, from its environment: every fault is reported at once.
 * @module
 */
import { isIP } from 'node:net';
import { AgentEnv, AttestationToken, CERTIFICATE_DIR } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import { canonicalPem, splitPem } from '../x509/certificate.ts';

/** What the agent needs to know to obtain and renew. */
export interface AgentSettings {
  /** Base URL of the certificate endpoint. */
  readonly autocertUrl: string;
  /** Roots by which to trust it, each PEM. */
  readonly roots: readonly string[];
  /** Namespace of the pod; empty where it is not known. */
  readonly namespace: string;
  /** Mode of the files. */
  readonly mode: number;
  /** Addresses by host name. */
  readonly hostAliases: ReadonlyMap<string, string>;
  /** Folder of the three files. */
  readonly dir: string;
  /** File with the service-account token. */
  readonly tokenFile: string;
}

/** Environment variables, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_MODE = '0644';

/** Reads the settings; an {@link AutocertError} `INVALID_CONFIG` names every variable that is wrong. */
export function readSettings(env: Environment): AgentSettings {
  const problems: string[] = [];
  const check = <T>(name: string, wanted: string, parse: (text: string) => T | undefined, fallback?: string): T => {
    const text = env[name] || fallback;
    const value = text === undefined ? undefined : parse(text);
    const given = text === undefined ? 'is not set' : `is ${JSON.stringify(text.slice(0, 200))}`;
    if (value === undefined) problems.push(`${name} ${given}; it takes ${wanted}`);
    // Used only when there is no problem.
    return value as T;
  };
  const settings: AgentSettings = {
    autocertUrl: check(AgentEnv.autocertUrl, 'the https:// URL of the certificate endpoint', httpsUrl),
    roots: check(AgentEnv.roots, 'root certificates in PEM', rootsOf),
    namespace: env[AgentEnv.namespace] ?? '',
    mode: check(AgentEnv.mode, 'an octal file mode such as 0600', fileMode, DEFAULT_MODE),
    hostAliases: check(AgentEnv.hostAliases, 'name=address pairs separated by commas', aliases, ','),
    dir: env[AgentEnv.certificateDir] || CERTIFICATE_DIR,
    tokenFile: env[AgentEnv.tokenFile] || `${AttestationToken.dir}/${AttestationToken.file}`,
  };
  if (problems.length === 0) return settings;
  throw new AutocertError('INVALID_CONFIG', `the agent's environment: ${problems.join('. ')}`);
}

function httpsUrl(text: string): string | undefined {
  return URL.parse(text)?.protocol === 'https:' ? text.replace(/\/+$/, '') : undefined;
}

function rootsOf(text: string): readonly string[] | undefined {
  try {
    const roots = splitPem(text).map((pem) => canonicalPem(pem, AgentEnv.roots));
    return roots.length > 0 ? roots : undefined;
  } catch {
    return undefined;
  }
}

function fileMode(text: string): number | undefined {
  return /^0?[0-7]{3}$/.test(text) ? Number.parseInt(text, 8) : undefined;
}

function aliases(text: string): Map<string, string> | undefined {
  const pairs = text.split(',').map((pair) => pair.trim());
  const found = new Map<string, string>();
  for (const pair of pairs.filter((item) => item !== '')) {
    const [name = '', address = ''] = pair.split('=').map((part) => part.trim());
    if (name === '' || isIP(address) === 0) return undefined;
    found.set(name.toLowerCase(), address);
  }
  return found;
}
