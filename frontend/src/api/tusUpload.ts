import { Upload } from "tus-js-client";
import { ApiError, csrfToken, errorFrom, pageHeaders } from "./client";

/** Small enough that little is sent twice through a proxy that buffers, large enough that requests do not count. */
const CHUNK = 8 << 20;
/** Ten minutes of trying, counted anew after every piece that arrives: a server may be restarted meanwhile. */
const RETRY_DELAYS = [0, 1000, 2000, 5000, 10_000, ...new Array<number>(20).fill(30_000)];

export interface Sending {
  /** Stops sending; what has arrived is kept on the server. */
  pause(): void;
}

export interface SendingEvents {
  /** The upload's address on the server, as soon as there is one. */
  onAddress(url: string): void;
  /** `sent` bytes of the file have gone. */
  onProgress(sent: number): void;
  onArrived(): void;
  onBroken(error: ApiError): void;
}

/**
 * Sends one file by the tus protocol (https://tus.io), from the start or, with `address`, from where it stopped.
 * `metadata` goes with a new upload: filename, fingerprint, licence, ...
 */
export function sendFile(
  endpoint: string,
  file: File,
  metadata: Record<string, string>,
  address: string | null,
  events: SendingEvents,
): Sending {
  const upload = new Upload(file, {
    endpoint,
    uploadUrl: address,
    metadata,
    chunkSize: CHUNK,
    retryDelays: RETRY_DELAYS,
    storeFingerprintForResuming: false, // the server's own list tells what can go on
    onBeforeRequest: (request) => {
      for (const [name, value] of Object.entries(pageHeaders())) request.setHeader(name, value);
      request.setHeader("X-CSRFToken", csrfToken());
      request.setHeader("Accept", "application/json");
    },
    onUploadUrlAvailable: () => {
      if (upload.url) events.onAddress(new URL(upload.url, window.location.origin).pathname);
    },
    onProgress: (sent) => events.onProgress(sent),
    onSuccess: () => events.onArrived(),
    onError: (error) => events.onBroken(asApiError(error)),
  });
  upload.start();
  return { pause: () => void upload.abort() };
}

function asApiError(error: unknown): ApiError {
  const response = (error as { originalResponse?: { getStatus(): number; getBody(): string } | null }).originalResponse;
  if (!response || response.getStatus() === 0) {
    return new ApiError(0, "offline", "The connection broke. What has arrived is kept; the file goes on from there.");
  }
  let body: unknown = null;
  try {
    body = JSON.parse(response.getBody());
  } catch {
    // A proxy's page, perhaps: the status says enough.
  }
  return errorFrom(response.getStatus(), body);
}
