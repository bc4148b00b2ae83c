/**
 * What tests of the agent share: a folder of its own, the environment of an injected container, a log that is kept.
 * @module
 */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Environment } from '../../runtime/agent/settings.ts';
import type { CertificateSet } from '../../runtime/agent/certificate-files.ts';
import type { Log } from '../../runtime/lib/log.ts';
import { Secret } from '../../runtime/lib/secret.ts';
import type { FakeCa, TestServer } from './fake-ca.ts';
import { type IssueOptions, type Issuer, issue } from './tiny-ca.ts';

/** A folder that disappears at the end of its block, with an attestation token in it. */
export function agentFolder(): { dir: string; tokenFile: string; [Symbol.dispose]: () => void } {
  const base = fs.mkdtempSync(join(tmpdir(), 'autocert-agent-'));
  const dir = join(base, 'files');
  const tokenFile = join(base, 'token');
  fs.mkdirSync(dir);
  fs.writeFileSync(tokenFile, 'header.claims.signature\n');
  return { dir, tokenFile, [Symbol.dispose]: () => fs.rmSync(base, { recursive: true, force: true }) };
}

/** The environment that the injector gives the agent. */
export function agentEnvironment(
  ca: FakeCa,
  endpoint: TestServer,
  { dir, tokenFile }: { dir: string; tokenFile: string },
): Environment {
  return {
    STEP_CA_URL: ca.url,
    STEP_FINGERPRINT: ca.fingerprint,
    AUTOCERT_URL: endpoint.url,
    AUTOCERT_DIR: dir,
    AUTOCERT_TOKEN_FILE: tokenFile,
  };
}

/** A log that keeps what it is told, as `level message` beside the fields. */
export function keptLog(): Log & { lines: { line: string; fields: Record<string, unknown> }[] } {
  const lines: { line: string; fields: Record<string, unknown> }[] = [];
  const at = (level: string) => (fields: object, message: string) =>
    lines.push({ line: `${level} ${message}`, fields: { ...fields } });
  return { lines, info: at('info'), warn: at('warn'), error: at('error') };
}

/** A complete set under `root`. */
export function setOf(root: Issuer, options: IssueOptions = {}): CertificateSet {
  const leaf = issue('pod.example', { issuer: root, names: ['pod.example'], ...options });
  return { certificate: leaf.certificatePem, key: new Secret(leaf.keyPem), roots: root.certificatePem };
}
