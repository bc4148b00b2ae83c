/**
 * Bounds of the connections to a server. Too many are never an answer to the newest alone, for that would keep everybody
 * out while one peer holds connections open: the peer that has the most loses the one that has been of no use for the
 * longest time.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import { Allowances, type Rate } from './allowance.ts';

/** How many connections there may be. */
export interface ConnectionBounds {
  readonly total: number;
  /** From one address, which may be that of a node with all of its pods. */
  readonly byPeer: number;
  /** How often one address may open a new one: each costs a handshake. @default - as often as it likes */
  readonly opened?: Rate;
}

/** Why a connection was closed, or not taken: its peer has too many or opens too many, or there are too many in all. */
export type CutReason = 'peer' | 'rate' | 'total';

/** How to close each connection of one peer, by its port; the one of least use comes first. */
type Held = Map<number, () => void>;

/** Bounds the connections of `server`, before any handshake. */
export function boundConnections(
  server: Server,
  bounds: ConnectionBounds,
  onCut: (reason: CutReason) => void = () => undefined,
  monotonic: () => number = () => performance.now(),
): void {
  const peers = new Map<string, Held>();
  const opened = bounds.opened && new Allowances(monotonic, bounds.opened);
  let open = 0;
  /** The connections of which one has to go; absent: none has to. */
  const tooMany = (own: Held): Held | undefined => {
    if (own.size >= bounds.byPeer) return own;
    if (open < bounds.total) return undefined;
    return [...peers.values()].reduce((most, one) => (one.size > most.size ? one : most));
  };
  intercept(server, 'connection', (socket) => {
    const { remoteAddress: peer = '', remotePort: port = 0 } = socket;
    if (opened && !opened.take(peer)) {
      onCut('rate');
      socket.destroy();
      return false;
    }
    const own: Held = peers.get(peer) ?? new Map();
    const [closeLeast] = tooMany(own)?.values() ?? [];
    if (closeLeast) onCut(own.size >= bounds.byPeer ? 'peer' : 'total');
    closeLeast?.();
    const close = () => {
      socket.destroy();
      if (own.get(port) !== close) return;
      own.delete(port);
      open -= 1;
      if (own.size === 0) peers.delete(peer);
    };
    socket.once('close', close);
    peers.set(peer, own.set(port, close));
    open += 1;
    return true;
  });
  // An answer was of use: the connection goes to the end of the row.
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    const { remoteAddress: peer = '', remotePort: port = 0 } = socket;
    response.once('finish', () => {
      const own = peers.get(peer);
      const close = own?.get(port);
      if (!own || !close) return;
      own.delete(port);
      own.set(port, close);
    });
  });
}

/** Lets only those sockets come to a server's own listeners that `accept` lets pass. */
export function intercept<S extends Socket>(
  server: Server,
  event: 'connection' | 'secureConnection',
  accept: (socket: S) => boolean,
): void {
  const listeners = server.listeners(event);
  server.removeAllListeners(event);
  server.on(event, (socket: S) => {
    if (accept(socket)) for (const listener of listeners) listener.call(server, socket);
  });
}
