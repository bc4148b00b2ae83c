/**
 * The CA's pod without Kubernetes: real `ca.sh` as process 1 of a process namespace with real step-ca, the real supervisor
 * beside it, and the database on a small file system in memory. Containers that die are started again, as kubelet does.
 * @module
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PkiFile, type SupervisorConfig } from '../../runtime/contract.ts';
import { freePorts } from '../../runtime/lib/free-ports.ts';
import { createIntermediate } from '../../runtime/pki/authorities.ts';
import { type InitializedPki, initPki } from '../../runtime/pki/files.ts';
import type { CaTemplate } from '../../runtime/step-ca/ca-config.ts';
import { CaClient } from '../../runtime/step-ca/client.ts';
import { createKey, encryptKey, openKey } from '../../runtime/x509/private-key.ts';
import { waitFor } from '../../scripts/cluster/shell.ts';
import { certificateMaker, tokenMaker } from './embedded-ca.ts';
import { program } from './programs.ts';

const ROOT = join(import.meta.dirname, '../..');
const CA_SCRIPT = join(ROOT, 'runtime/supervisor/ca.sh');
const PROGRAM = join(ROOT, 'runtime/cli/main.ts');

/** Containers of the pod. */
export type ContainerOfCa = 'step-ca' | 'supervisor';

/** What a pod is started with. */
export interface CaPodOptions {
  /** Size of the volume. */
  readonly mebibytes?: number;
  /** Changes the synthesized part of the configuration, and the files below `at('secrets')`, before the first start. */
  readonly change?: (template: CaTemplate, files: InitializedPki, at: (name: string) => string) => CaTemplate;
}

/** A pod of a test; ends and cleans up with its block. */
export class CaPod {
  readonly files: InitializedPki;
  readonly config: SupervisorConfig;
  readonly client: CaClient;
  readonly issue: ReturnType<typeof certificateMaker>;
  readonly #dir: string;
  readonly #stepCa: string;
  readonly #said = { 'step-ca': '', supervisor: '' };
  readonly #running = new Map<ContainerOfCa, ChildProcess>();
  #ending = false;

  /** Makes a PKI, mounts a volume of so many mebibytes, and starts both containers; resolves when certificates can be had. */
  static async start(options: CaPodOptions = {}): Promise<CaPod> {
    const dir = fs.mkdtempSync(join(tmpdir(), 'autocert-ca-pod-'));
    const at = (name: string) => join(dir, name);
    for (const name of ['certs', 'secrets', 'out', 'control', 'scratch', 'volume']) fs.mkdirSync(at(name));
    const [caPort = 0, port = 0] = await freePorts(2);
    const files = await initPki({ dir: at('pki'), address: `127.0.0.1:${caPort}`, passwordFiles: true });
    const config: SupervisorConfig = {
      inputs: {
        template: at('template.json'),
        provisioners: files.provisionersFile,
        names: at('names.json'),
        certificates: at('certs'),
        secrets: at('secrets'),
      },
      out: at('out'),
      control: at('control'),
      database: { file: at('volume/ca.bolt'), scratch: at('scratch') },
      caUrl: `https://127.0.0.1:${caPort}`,
      port,
      restartSpreadSeconds: 0,
    };
    const usual: CaTemplate = {
      address: `127.0.0.1:${caPort}`,
      dnsNames: ['localhost', '127.0.0.1'],
      logger: { format: 'json' },
      db: { type: 'bbolt', dataSource: config.database?.file },
      authority: { claims: { minTLSCertDuration: '1s' } },
    };
    fs.writeFileSync(at('names.json'), 'null');
    fs.copyFileSync(files.rootFile, at(`certs/${PkiFile.root}`));
    fs.copyFileSync(files.intermediateFile, at(`certs/${PkiFile.intermediate}`));
    fs.copyFileSync(files.intermediateKeyFile, at(`secrets/${PkiFile.intermediateKey}`));
    fs.copyFileSync(files.caPasswordFile, at(`secrets/${PkiFile.password}`));
    const template = options.change?.(usual, files, at) ?? usual;
    fs.writeFileSync(config.inputs.template, JSON.stringify(template));
    fs.writeFileSync(at('supervisor.json'), JSON.stringify(config));
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${options.mebibytes ?? 3}m`, 'tmpfs', at('volume')]);
    const client = new CaClient({ url: config.caUrl, roots: [files.pki.rootPem] });
    const issue = certificateMaker(client, await tokenMaker(files.pki, config.caUrl));
    const pod = new CaPod(dir, files, config, client, issue, await program('step-ca'));
    pod.run('step-ca');
    pod.run('supervisor');
    await pod.ready();
    return pod;
  }

  private constructor(
    dir: string,
    files: InitializedPki,
    config: SupervisorConfig,
    client: CaClient,
    issue: ReturnType<typeof certificateMaker>,
    stepCa: string,
  ) {
    this.#dir = dir;
    this.files = files;
    this.config = config;
    this.client = client;
    this.issue = issue;
    this.#stepCa = stepCa;
  }

  /** Path in the pod's folder. */
  at(name: string): string {
    return join(this.#dir, name);
  }

  get databaseFile(): string {
    return this.at('volume/ca.bolt');
  }

  /** What a container has printed, in all of its lives. */
  said(container: ContainerOfCa): string {
    return this.#said[container];
  }

  /** Starts a container; it is started again whenever it ends, until it is held. */
  run(container: ContainerOfCa): void {
    const child =
      container === 'supervisor'
        ? spawn(process.execPath, [PROGRAM, 'supervisor', '--config', this.at('supervisor.json')])
        : spawn(
            'unshare',
            ['--pid', '--fork', '--kill-child', 'busybox', 'sh', CA_SCRIPT, this.at('control'), this.at('out')],
            { env: { ...process.env, AUTOCERT_STEP_CA: this.#stepCa, AUTOCERT_BUSYBOX: 'busybox' } },
          );
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        this.#said[container] += chunk;
      });
    }
    this.#running.set(container, child);
    child.once('exit', () => {
      if (this.#running.get(container) === child && !this.#ending) this.run(container);
    });
  }

  /** Kills a container's first process; kubelet starts another. */
  kill(container: ContainerOfCa): void {
    this.#running.get(container)?.kill('SIGKILL');
  }

  /** Kills step-ca alone. */
  killStepCa(): void {
    process.kill(this.#stepCaPid(), 'SIGKILL');
  }

  /** Ends the container step-ca and does not start it again, before {@link CaPod.run}. */
  async hold(container: ContainerOfCa): Promise<void> {
    const child = this.#running.get(container);
    this.#running.delete(container);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** What `/readyz` says. */
  async readyz(): Promise<{ readonly status: number; readonly text: string }> {
    const answer = await fetch(`http://127.0.0.1:${this.config.port}/readyz`, { signal: AbortSignal.timeout(2_000) });
    return { status: answer.status, text: (await answer.text()).trim() };
  }

  /** The value of a metric, by its name and labels as Prometheus reads them. */
  async metric(name: string): Promise<number | undefined> {
    const text = await (await fetch(`http://127.0.0.1:${this.config.port}/metrics`)).text();
    const line = text.split('\n').find((each) => each.startsWith(`${name} `));
    return line === undefined ? undefined : Number(line.slice(name.length));
  }

  /** Resolves when the pod is ready and a certificate was had. */
  async ready(timeoutMs = 60_000): Promise<void> {
    const look = async () => (await this.readyz()).status === 200 && (await this.issue(['ready.test'])) !== undefined;
    await waitFor('the CA to issue a certificate', look, { timeoutMs, everyMs: 50 }).catch((cause: unknown) => {
      throw new Error(`${this.said('step-ca').slice(-2000)}\n${this.said('supervisor').slice(-4000)}`, { cause });
    });
  }

  /** A new intermediate by the same root, with a new key: certificate and encrypted key, PEM. */
  async newIntermediate(): Promise<{ readonly certificate: string; readonly key: string }> {
    const { pki } = this.files;
    const rootKey = openKey(pki.rootKeyPem, pki.caPassword, 'root key');
    const key = await createKey();
    const issuer = { certificatePem: pki.rootPem, key: rootKey };
    const certificate = await createIntermediate({ name: 'Next', key, now: new Date() }, issuer);
    return { certificate, key: encryptKey(key, pki.caPassword).reveal() };
  }

  /** Replaces a mounted file, in one step. */
  put(name: string, content: string): void {
    fs.writeFileSync(this.at(`${name}.new`), content);
    fs.renameSync(this.at(`${name}.new`), this.at(name));
  }

  /** Grows the volume. */
  grow(mebibytes: number): void {
    execFileSync('mount', ['-o', `remount,size=${mebibytes}m`, dirname(this.databaseFile)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending = true;
    this.client.close();
    await Promise.all([this.hold('step-ca'), this.hold('supervisor')]);
    // The kernel ends what a process namespace has left after its first process, and only then is the volume free.
    await waitFor('the volume to be free', async () => {
      execFileSync('umount', [dirname(this.databaseFile)], { stdio: 'pipe' });
      return true;
    });
    fs.rmSync(this.#dir, { recursive: true });
  }

  #stepCaPid(): number {
    const children = (pid: number) =>
      fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
    const shells = children(this.#running.get('step-ca')?.pid ?? 0);
    const found = shells.flatMap(children).find((pid) => fs.readlinkSync(`/proc/${pid}/exe`) === this.#stepCa);
    if (found === undefined) throw new Error('step-ca does not run');
    return found;
  }
}
