/**
 * Limits of certificates' lifetimes and names, each in its one place.
 * @module
 */

/** How far step-ca dates certificates back, so that clocks may differ. It is no lifetime. */
export const BACKDATE_MS = 60_000;

/** Lifetimes that the Kubernetes API takes for pod certificates (native delivery): `1h` to `2184h`, which is 91 days. */
export const POD_CERTIFICATE = { leastMs: 3_600_000, mostMs: 91 * 24 * 3_600_000 } as const;

/** Longest common name (RFC 5280, `ub-common-name`). A longer name is carried in the SAN alone (§4.1.2.6). */
export const MAX_COMMON_NAME = 64;

/** Most names that the annotation `sans` may list. */
export const MAX_SANS = 64;
