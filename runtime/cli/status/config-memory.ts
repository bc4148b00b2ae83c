/**
 * The configuration of an installation, for those who look at its status again and again.
 * @module
 */
import type { configIfKnown } from '../explain/configuration.ts';

/**
 * How long it is believed, milliseconds. Label and mode change when somebody applies other manifests, and the webhook itself
 * learns of it only when kubelet has brought the ConfigMap into its volume, which takes up to a minute or two.
 */
export const CONFIG_EVERY_MS = 30_000;

/**
 * `read`, asked at most every {@link CONFIG_EVERY_MS}; a failure is not kept. For one cluster and one namespace.
 * @param monotonic milliseconds
 */
export function rememberConfig(read: typeof configIfKnown, monotonic: () => number): typeof configIfKnown {
  let known: { readonly until: number; readonly config: ReturnType<typeof configIfKnown> } | undefined;
  return (...from) => {
    if (known && monotonic() < known.until) return known.config;
    const config = read(...from);
    known = { until: monotonic() + CONFIG_EVERY_MS, config };
    config.catch(() => {
      known = undefined;
    });
    return config;
  };
}
