/** A transfer that broke: worth another attempt. Internal, see withRetries. */
export class NetworkTrouble extends Error {
  override readonly name = 'NetworkTrouble';
}
