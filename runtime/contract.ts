/**
 * The words that both halves share: what the constructs write into manifests and what the runtime reads out of them,
 * and what users write on their pods. The one file that `constructs/` and `runtime/` both import; it imports nothing but its own
 * rooms. Everything here is public: changing a value breaks pods that are running today.
 * @module
 */
export * from './contract/domain.ts';
export * from './contract/endpoint.ts';
export * from './contract/pki.ts';
export * from './contract/pod.ts';
export * from './contract/settings.ts';
