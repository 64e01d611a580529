import { createSocket } from 'node:dgram';
import { hostname } from 'node:os';
import { engineCall } from '../engine/engine-call.js';
import { loadAddon, loadRanksLibrary } from '../engine/load/load-addon.js';
import { AdaptiveTrainerError } from '../errors.js';
import { compareRanks } from './compare-ranks.js';
import { readLaunch, type Launch } from './launch.js';
import { RankGroup } from './rank-group.js';
import { oneRank, type Ranks } from './ranks.js';

/** Of `ddpTimeout`, in seconds. */
export const defaultTimeout = 600;

let joined: Promise<Ranks> | undefined;

/**
 * The ranks that this process was started as one of, connected on the first call.
 * @param seconds until all have come, and until each work of all is done. Default: 600
 * @throws AdaptiveTrainerError LAUNCH_INVALID; RANKS_FAILED where some do not come; RANKS_DIFFER for another version of this
 * library or of libtorch
 */
export function joinRanks(seconds = defaultTimeout): Promise<Ranks> {
  return (joined ??= connect(seconds));
}

async function connect(seconds: number): Promise<Ranks> {
  const launch = readLaunch();
  if (launch === undefined) return oneRank;
  // libtorch warns of every host that it tries in vain; the error in the end says what matters.
  process.env['TORCH_CPP_LOG_LEVEL'] ??= 'ERROR';
  const addon = loadAddon();
  const library = loadRanksLibrary();
  const { rank, size, host, port, hasStore, attempt } = launch;
  const request = {
    ...{ rank, size, host, port },
    servesStore: rank === 0 && !hasStore,
    prefix: 'adaptive-trainer',
    attempt,
    address: await ownAddress(launch),
    ...{ meetSeconds: seconds, workSeconds: seconds },
  };
  try {
    const native = await engineCall(() => library.joinGroup(request));
    const ranks = new RankGroup(addon, native, launch);
    process.on('exit', () => addon.leaveRanks({ ranks: native }));
    // Before anything that another version might do in another order.
    await compareRanks(ranks, { libtorch: addon.libtorch });
    return ranks;
  } catch (error) {
    if (!AdaptiveTrainerError.isInstance(error, 'RANKS_FAILED') || error.details.rank !== undefined)
      throw error;
    throw new AdaptiveTrainerError(
      'RANKS_FAILED',
      `Rank ${rank} of ${size} (${launch.launcher}, on ${hostname()}): ${error.message} ` +
        `Ranks meet at ${host}:${port}: it must be a host of rank 0 that all reach, with that port open and free, and every rank must be started.`,
      { cause: error, details: { rank } },
    );
  }
}

/** The address of this machine that leads to rank 0; empty: that of its host name, or what GLOO_SOCKET_IFNAME names. */
async function ownAddress({ host, port }: Launch): Promise<string> {
  if (process.env['GLOO_SOCKET_IFNAME']) return '';
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  try {
    return await new Promise((resolve) => {
      socket.on('error', () => resolve(''));
      // Nothing is sent: this only asks for the way.
      socket.connect(port, host, () => resolve(socket.address().address));
    });
  } finally {
    socket.close();
  }
}
