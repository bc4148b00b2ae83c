/**
 * What tests of the agent share: a folder of its own, the environment of an injected container, a log that is kept, the
 * worker as one executable.
 * @module
 */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CertificateSet, replaceCertificateFiles } from '../../runtime/agent/certificate-files.ts';
import type { Environment } from '../../runtime/agent/settings.ts';
import type { Log } from '../../runtime/lib/log.ts';
import { Secret } from '../../runtime/lib/secret.ts';
import { validityOf } from '../../runtime/x509/certificate.ts';
import type { Authority, TestServer } from './fake-ca.ts';
import { type IssueOptions, issue, type TestCertificate } from './tiny-ca.ts';

/** The shell script, and the worker that it starts. */
export const AGENT_SCRIPT = join(import.meta.dirname, '../../runtime/agent/agent.sh');
const WORKER = join(import.meta.dirname, '../../runtime/agent/main.ts');

/** A folder that disappears at the end of its block. */
export interface AgentFolder {
  /** Certificate folder. */
  readonly dir: string;
  readonly tokenFile: string;
  /** An executable that is the worker. */
  readonly worker: string;
  /** Writes an executable shell script and gives back its path. */
  script(text: string): string;
  [Symbol.dispose](): void;
}

/** Makes one, with a service-account token in it. */
export function agentFolder(): AgentFolder {
  const base = fs.mkdtempSync(join(tmpdir(), 'autocert-agent-'));
  const [dir, tokenFile] = [join(base, 'files'), join(base, 'token')];
  fs.mkdirSync(dir);
  fs.writeFileSync(tokenFile, 'header.claims.signature\n');
  let scripts = 0;
  const script = (text: string) => {
    scripts += 1;
    const file = join(base, `script-${scripts}`);
    fs.writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return file;
  };
  return {
    dir,
    tokenFile,
    worker: script(`exec '${process.execPath}' '${WORKER}' "$@"`),
    script,
    [Symbol.dispose]: () => fs.rmSync(base, { recursive: true, force: true }),
  };
}

/** The environment that the injector gives the agent. */
export function agentEnvironment({ root }: Authority, endpoint: TestServer, folder: AgentFolder): Environment {
  return {
    PATH: process.env.PATH,
    AUTOCERT_URL: endpoint.url,
    AUTOCERT_ROOTS: root.certificatePem,
    NAMESPACE: 'shop',
    POD_NAME: 'web-0',
    AUTOCERT_DIR: folder.dir,
    AUTOCERT_TOKEN_FILE: folder.tokenFile,
    AUTOCERT_AGENT_WORKER: folder.worker,
  };
}

/** A log that keeps what it is told, as `level message` beside the fields. */
export function keptLog(): Log & { lines: { line: string; fields: Record<string, unknown> }[] } {
  const lines: { line: string; fields: Record<string, unknown> }[] = [];
  const at = (level: string) => (fields: object, message: string) =>
    lines.push({ line: `${level} ${message}`, fields: { ...fields } });
  return { lines, info: at('info'), warn: at('warn'), error: at('error') };
}

/** A complete set under `root`, obtained when its certificate was issued. */
export function setOf(root: TestCertificate, options: IssueOptions = {}): CertificateSet {
  const leaf = issue('pod.example', { issuer: root, names: ['pod.example'], ...options });
  const { notBefore, notAfter } = validityOf(leaf.certificatePem);
  return {
    certificate: leaf.certificatePem,
    key: new Secret(leaf.keyPem),
    roots: root.certificatePem,
    anchors: root.certificatePem,
    notAfter,
    obtainedAt: new Date(notBefore.getTime() + 60_000),
  };
}

/** Puts {@link setOf} into a folder. */
export function putSet(dir: string, root: TestCertificate, options: IssueOptions = {}): CertificateSet {
  const set = setOf(root, options);
  replaceCertificateFiles(dir, set, 0o644);
  return set;
}
