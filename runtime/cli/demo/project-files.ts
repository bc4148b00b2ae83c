/**
 * Files of this project that the demo runs and shows, found from the running program: in a checkout and in the package.
 * @module
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AutocertError } from '../../lib/errors.ts';

/** Paths. */
export interface ProjectFiles {
  /** The folder of the examples. */
  readonly examples: string;
  /** The agent's shell script. */
  readonly agentScript: string;
}

/**
 * @param program the running script
 * @throws AutocertError `INVALID_CONFIG` where there is nothing but the program
 */
export function projectFiles(program: string): ProjectFiles {
  const folder = dirname(realpathSync(program));
  const built = join(folder, 'agent.sh');
  for (let root = folder; root !== dirname(root); root = dirname(root)) {
    const manifest = join(root, 'package.json');
    if (!existsSync(manifest) || JSON.parse(readFileSync(manifest, 'utf8')).name !== 'cdk8s-autocert') continue;
    const agentScript = existsSync(built) ? built : join(root, 'runtime/agent/agent.sh');
    return { examples: join(root, 'examples'), agentScript };
  }
  throw new AutocertError('INVALID_CONFIG', `no examples/ near ${program}: run autocert start from a checkout`);
}
