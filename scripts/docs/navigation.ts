/**
 * What the site has, by topic and in the order in which one reads it.
 * @module
 */

/** A page, and what it is called in the navigation. */
export interface Entry {
  /** Path of its Markdown, from the root of the repository. */
  readonly path: string;
  /** A word or two; its heading may be longer. */
  readonly label: string;
}

/** Pages about one thing. */
export interface Topic {
  readonly title: string;
  readonly entries: readonly Entry[];
}

const topic = (title: string, labels: Readonly<Record<string, string>>): Topic => ({
  title,
  entries: Object.entries(labels).map(([path, label]) => ({ path, label })),
});

/** Every page, once. */
export const NAVIGATION: readonly Topic[] = [
  topic('Begin', {
    'README.md': 'Autocert',
    'docs/install.md': 'Install',
    'docs/tutorial.md': 'Tutorial',
    'docs/how-it-works.md': 'How it works',
    'examples/hello-mtls/README.md': 'Example programs',
    'docs/faq.md': 'Questions',
  }),
  topic('Set up', {
    'docs/constructs.md': 'Constructs',
    'docs/native.md': 'Native delivery',
    'docs/subordinate-ca.md': 'Subordinate CA',
    'docs/external-ca.md': 'External CA',
    'docs/federation.md': 'Several clusters',
    'docs/gitops.md': 'Argo CD and Flux',
    'docs/network.md': 'Network',
    'docs/high-availability.md': 'High availability',
    'docs/scaling.md': 'Scaling',
    'docs/supply-chain.md': 'Image and packages',
  }),
  topic('Run', {
    'docs/cli.md': 'Commands',
    'docs/dashboard.md': 'Dashboard',
    'docs/monitoring.md': 'Monitoring',
    'docs/reference.md': 'Metrics, Events, logs, codes',
    'docs/upgrade.md': 'Upgrade and skew',
    'docs/migration.md': 'From the Go original',
    'docs/uninstall.md': 'Uninstall',
  }),
  topic('The CA and its keys', {
    'docs/ca.md': "The CA's pod",
    'docs/pki.md': 'Life of the PKI',
    'docs/pki-secrets.md': 'Passwords and keys',
    'docs/backup.md': 'Backup and restore',
  }),
  topic('When something is wrong', {
    'docs/troubleshooting.md': 'Troubleshooting',
    'docs/runbooks.md': 'Runbooks',
  }),
  topic('What was tried', {
    'SECURITY.md': 'Security',
    'docs/attacks.md': 'Attacks',
    'docs/reliability.md': 'Reliability',
    'docs/performance.md': 'Performance',
    'docs/e2e.md': 'End-to-end tests',
  }),
  topic('The project', {
    'CONTRIBUTING.md': 'Contributing',
    'CHANGELOG.md': 'Changelog',
  }),
];

/** Every page, in the order in which one reads them. */
export const PAGES: readonly Entry[] = NAVIGATION.flatMap(({ entries }) => entries);
