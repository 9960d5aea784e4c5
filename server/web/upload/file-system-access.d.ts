/* What Chromium has of the File System Access API beyond TypeScript's own library. Other browsers lack it: look before calling. */

interface FileSystemHandle {
  queryPermission?(descriptor: { mode: 'read' }): Promise<PermissionState>
  /** Only in a click or another act of the user. */
  requestPermission?(descriptor: { mode: 'read' }): Promise<PermissionState>
}
interface DataTransferItem {
  getAsFileSystemHandle?(): Promise<FileSystemFileHandle | FileSystemDirectoryHandle | null>
}
interface Window {
  showOpenFilePicker?: ((options: { multiple: boolean }) => Promise<FileSystemFileHandle[]>) | undefined
}
