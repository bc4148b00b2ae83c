/**
 * One Argo CD Application and the Git repository that it follows.
 * @module
 */
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ARGO_CD_NAMESPACE } from '../../../scripts/cluster/gitops/argo-cd.ts';
import type { Kubectl } from '../../../scripts/cluster/kubectl.ts';
import { run, waitFor } from '../../../scripts/cluster/shell.ts';

const NAME = 'autocert';
const TARGET = ['-n', ARGO_CD_NAMESPACE, 'application', NAME];
const PATIENCE = { timeoutMs: 5 * 60_000, everyMs: 500 };
/** With which Argo CD deletes what an Application has brought. */
const FINALIZER = 'resources-finalizer.argocd.argoproj.io';

interface ApplicationStatus {
  readonly sync?: { readonly status: string; readonly revision?: string };
  readonly health?: { readonly status: string };
  readonly operationState?: { readonly phase: string; readonly message?: string };
  readonly conditions?: readonly { readonly type: string; readonly message: string }[];
  readonly resources?: readonly {
    readonly kind: string;
    readonly name: string;
    readonly status?: string;
    readonly health?: { readonly status: string };
  }[];
}

/** A repository with one folder of manifests. */
export class Repository {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(folder: string): Promise<Repository> {
    mkdirSync(folder, { recursive: true });
    const repository = new Repository(folder);
    await repository.#git('init', '--quiet', '--initial-branch=main');
    return repository;
  }

  /** Commits the manifests in place of those that it has; returns the revision. */
  async commit(manifests: string, message: string): Promise<string> {
    const dist = join(this.folder, 'dist');
    rmSync(dist, { recursive: true, force: true });
    cpSync(manifests, dist, { recursive: true });
    await this.#git('add', '--all');
    await this.#git('commit', '--quiet', '--message', message);
    return this.#head();
  }

  /** Takes the last commit back by another one; returns its revision. */
  async revert(): Promise<string> {
    await this.#git('revert', '--no-edit', 'HEAD');
    return this.#head();
  }

  async #head(): Promise<string> {
    return (await this.#git('rev-parse', 'HEAD')).trim();
  }

  #git(...args: readonly string[]): Promise<string> {
    const author = ['-c', 'user.name=e2e', '-c', 'user.email=e2e@example.com', '-c', 'commit.gpgsign=false'];
    return run(['git', '-C', this.folder, ...author, ...args]);
  }
}

/** The Application. */
export class Application {
  readonly #kubectl: Kubectl;
  readonly #repository: Repository;

  constructor(kubectl: Kubectl, repository: Repository) {
    this.#kubectl = kubectl;
    this.#repository = repository;
  }

  /** Makes it: it synchronizes by itself, heals what is changed by hand, and prunes. Nothing is left out of the comparison. */
  async create(): Promise<void> {
    const spec = {
      project: 'default',
      source: { repoURL: `file://${this.#repository.folder}`, path: 'dist', targetRevision: 'main' },
      destination: { server: 'https://kubernetes.default.svc' },
      syncPolicy: { automated: { prune: true, selfHeal: true }, retry: { limit: 5, backoff: { duration: '2s' } } },
    };
    const metadata = { name: NAME, namespace: ARGO_CD_NAMESPACE, finalizers: [FINALIZER] };
    await this.#kubectl.apply([{ apiVersion: 'argoproj.io/v1alpha1', kind: 'Application', metadata, spec }]);
  }

  /** Has the repository looked at now. */
  async refresh(): Promise<void> {
    await this.#kubectl.run(['annotate', ...TARGET, 'argocd.argoproj.io/refresh=normal', '--overwrite']);
  }

  /** Has everything applied again, hooks too. */
  async synchronize(): Promise<void> {
    const patch = JSON.stringify({ operation: { initiatedBy: { username: 'e2e' }, sync: {} } });
    await this.#kubectl.run(['patch', ...TARGET, '--type=merge', '--patch', patch]);
  }

  /** Waits until it is Synced to the revision and Healthy, and its last operation has succeeded. */
  async synced(revision: string): Promise<void> {
    let seen: ApplicationStatus = {};
    const look = async () => {
      seen = await this.status();
      return stateOf(seen) === GOOD && seen.sync?.revision === revision;
    };
    await waitFor(`the Application to be synced to ${revision}`, look, PATIENCE).catch((error: unknown) => {
      throw new Error(`${stateOf(seen)}: ${whatIsWrong(seen)}`, { cause: error });
    });
  }

  /** Looks for some time, twice a second; returns every state that is not good, with what is wrong. */
  async watch(milliseconds: number): Promise<string[]> {
    const bad = new Set<string>();
    for (const end = Date.now() + milliseconds; Date.now() < end; await sleep(500)) {
      const status = await this.status();
      if (stateOf(status) !== GOOD) bad.add(`${stateOf(status)}: ${whatIsWrong(status)}`);
    }
    return [...bad];
  }

  /** Deletes it with its finalizer, and waits until it has gone. */
  async delete(): Promise<void> {
    await this.#kubectl.run(['delete', ...TARGET, '--timeout=240s'], { timeoutMs: 300_000 });
  }

  async status(): Promise<ApplicationStatus> {
    const { status } = await this.#kubectl.json<{ readonly status?: ApplicationStatus }>(['get', ...TARGET]);
    return status ?? {};
  }
}

const GOOD = 'Synced, Healthy, Succeeded';

function stateOf({ sync, health, operationState }: ApplicationStatus): string {
  return [sync?.status, health?.status, operationState?.phase].map((word) => word ?? 'nothing').join(', ');
}

function whatIsWrong({ conditions = [], resources = [], operationState }: ApplicationStatus): string {
  const odd = resources.filter(
    ({ status, health }) => status === 'OutOfSync' || (health && health.status !== 'Healthy'),
  );
  return [
    ...conditions.map(({ type, message }) => `${type}: ${message}`),
    ...odd.map(({ kind, name, status, health }) => `${kind}/${name} ${status ?? ''} ${health?.status ?? ''}`),
    operationState?.message ?? '',
  ].join('; ');
}
