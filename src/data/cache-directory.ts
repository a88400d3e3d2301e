import { homedir } from 'node:os'
import { join } from 'node:path'

/**
 * The folder for what can be made again: `HEDDLE_CACHE`, else `heddle` in the user's cache folder, which is
 * `XDG_CACHE_HOME` or `~/.cache`, on Windows `LOCALAPPDATA`.
 *
 * @param environment the environment variables
 */
export function cacheDirectory(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  const { HEDDLE_CACHE: own, XDG_CACHE_HOME: xdg, LOCALAPPDATA: local } = environment
  if (own) return own
  const user = platform === 'win32' ? local || join(homedir(), 'AppData', 'Local') : xdg || join(homedir(), '.cache')
  return join(user, 'heddle')
}
