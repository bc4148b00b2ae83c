/**
 * The flags of the scripts that npm runs.
 * @module
 */
import { type ParseArgsConfig, parseArgs } from 'node:util';

const HELP_FLAG = { help: { type: 'boolean', short: 'h' } } as const;

/**
 * Reads the flags of this process. With `--help` prints the help and ends the process; with 2 where a flag is not known,
 * after a line that says which.
 * @param help how the script is called, and what each flag does
 * @param config as `parseArgs` takes it
 */
export function flagsOf<const C extends ParseArgsConfig>(help: string, config: C): ReturnType<typeof parseArgs<C>> {
  let parsed: ReturnType<typeof parseArgs<C>>;
  try {
    parsed = parseArgs({ ...config, options: { ...config.options, ...HELP_FLAG } }) as typeof parsed;
  } catch (error) {
    const [what] = (error as Error).message.split('. '); // then what holds for other programs
    console.error(`${what}\n\n${help}`);
    process.exit(2);
  }
  if ((parsed.values as { readonly help?: boolean }).help !== true) return parsed;
  console.log(help);
  process.exit(0);
}
