/**
 * Versions of Kubernetes, as far as anything depends on them.
 * @module
 */

/** Such as `[1, 29]`. */
export type Version = readonly [major: number, minor: number];

/**
 * Whether a version is another or a later one.
 * @param major as the API server tells it; what is no number is no version, and not enough
 * @param minor some distributions write it as `29+`
 */
export function isAtLeast([wantedMajor, wantedMinor]: Version, major = '', minor = ''): boolean {
  const given = Number.parseInt(major, 10);
  return given > wantedMajor || (given === wantedMajor && Number.parseInt(minor, 10) >= wantedMinor);
}
