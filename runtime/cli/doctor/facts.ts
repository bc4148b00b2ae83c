/**
 * What checks go by: plain data on one cluster at one moment. `undefined` is what nobody could look at, `null` what is not
 * there. Texts of others are short and without control characters.
 * @module
 */
import type { RbacV1Subject, V1NetworkPolicy, V1PolicyRule, V1RoleRef } from '@kubernetes/client-node';
import type { SignerConfig, WebhookConfig } from '../../contract.ts';
import type { Origin } from '../../kubernetes/pod-origin.ts';
import type { InjectorConfig } from '../explain/injection.ts';
import type { Installation } from '../observed/installation.ts';
import type { Known } from '../observed/look.ts';
import type { Labels } from '../observed/namespaces.ts';
import type { OtherPods } from '../observed/other-pods.ts';
import type { RegisteredWebhook } from '../observed/webhooks.ts';
import type { Stuck } from '../stuck.ts';

/** All of it. */
export interface Facts {
  /** Of Autocert. */
  readonly namespace: string;
  readonly clock: Clock;
  readonly apis: Apis;
  readonly installation: Installation;
  readonly configuration: Configuration;
  /** ConfigMap `ca-certs`. */
  readonly certificates: Known<Certificates>;
  /** Roots in the ClusterTrustBundle, PEM. */
  readonly trustBundle: Known<readonly string[]>;
  /** Lease of the signer. */
  readonly lease: Known<{ readonly holder: string; readonly renewTime: string; readonly seconds: number }>;
  readonly accounts: readonly Account[];
  /** Of all namespaces, or of Autocert's alone. */
  readonly policies: readonly V1NetworkPolicy[] | undefined;
  /** Mutating and validating, of everybody. */
  readonly webhooks: readonly RegisteredWebhook[] | undefined;
  /** Services behind webhooks, by `namespace/name`. */
  readonly services: ReadonlyMap<string, Known<ServiceState>>;
  readonly dns: Known<ServiceState>;
  readonly nodes: readonly NodeClock[] | undefined;
  readonly namespaces: ReadonlyMap<string, Labels> | undefined;
  /** Pods of Autocert itself. */
  readonly systemPods: readonly SystemPod[] | undefined;
  /** Pods that ask this installation for a certificate and have not come to their end. */
  readonly pods: readonly AskingPod[] | undefined;
  /** How many ask another. */
  readonly otherPods: readonly OtherPods[];
  /** Pods of Autocert, or that ask for a certificate, which a controller cannot create. */
  readonly uncreated: readonly Uncreated[] | undefined;
}

/** Certificates that can be read, PEM, one each. */
export interface Certificates {
  readonly roots: readonly string[];
  readonly intermediates: readonly string[];
  /** Blocks that look like certificates and are none. */
  readonly unreadable: number;
}

/** Two clocks at one moment. */
export interface Clock {
  /** This machine's. */
  readonly local: Date;
  /** The API server's. Absent: it did not say. */
  readonly server?: Date;
  /** By how much the API server's is ahead of this machine's, milliseconds, less what a request takes. */
  readonly aheadMs: number;
}

/** What the API server has. */
export interface Apis {
  /** Such as `1.37`; absent: it did not say. */
  readonly version?: string;
  readonly podCertificates: boolean | undefined;
  readonly validatingPolicies: boolean | undefined;
  readonly mutatingPolicies: boolean | undefined;
}

/** What the webhook, or without one the signer, runs by. */
export interface Configuration {
  readonly state: 'there' | 'missing' | 'wrong' | 'unknown';
  /** What is wrong with it. */
  readonly problem?: string;
  readonly config?: InjectorConfig & Partial<WebhookConfig> & Partial<SignerConfig>;
}

/** What an account of Autocert may do by the role that is meant for it. */
export interface Account {
  readonly name: string;
  readonly cluster: Binding;
  readonly namespaced: Binding;
}

/** A role and its binding. */
export interface Binding {
  /** `clusterrole/x` and `clusterrolebinding/x`. */
  readonly objects: { readonly role: string; readonly binding: string };
  readonly role: Known<readonly V1PolicyRule[]>;
  readonly binding: Known<{ readonly roleRef: V1RoleRef; readonly subjects: readonly RbacV1Subject[] }>;
}

/** A Service. */
export interface ServiceState {
  /** `namespace/name`. */
  readonly name: string;
  readonly ports: readonly number[];
  /** Endpoints that are ready; absent: nobody could look. */
  readonly ready?: number | undefined;
}

/** A node's sign of life, by its own clock. */
export interface NodeClock {
  readonly name: string;
  /** RFC 3339. */
  readonly renewTime: string;
  /** By how much it is ahead of the API server's clock at the moment of reading, milliseconds; negative: behind. */
  readonly aheadMs: number;
  /** Whether the control plane has heard of it lately; absent: nobody could look. */
  readonly ready?: boolean | undefined;
}

/** A pod of Autocert that is not at its end. */
export interface SystemPod {
  readonly name: string;
  /** Its label `app`. */
  readonly app: string;
  readonly labels: Labels;
  readonly ready: boolean;
  /** Image of its first container. */
  readonly image: string;
  readonly stuck: readonly Stuck[];
  /** Why no node takes it. */
  readonly unscheduled?: string;
  /** Why it is not ready, or what is wrong with its configuration, in its own words. */
  readonly words?: string;
}

/** A pod with the annotation. */
export interface AskingPod {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  readonly injected: boolean;
  /** Which installation has injected it. Absent: none, or it does not tell. */
  readonly origin?: Origin;
  /** Image of its agent; absent: it has none. */
  readonly agentImage?: string;
  readonly stuck: readonly Stuck[];
}

/** What a controller's last attempt to create a pod was answered. */
export interface Uncreated {
  readonly namespace: string;
  /** `replicaset/web-7d9`. */
  readonly object: string;
  readonly message: string;
}
