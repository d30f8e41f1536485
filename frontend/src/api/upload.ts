import { ApiError, csrfToken, errorFrom } from "./client";

/**
 * Sends one file as multipart form data and tells how much has gone (0..1). XMLHttpRequest, because fetch does not
 * report upload progress. Rejects with ApiError.
 */
export function uploadFile<T>(
  path: string,
  field: string,
  file: File,
  progress: (share: number) => void,
  signal?: AbortSignal,
  more: Record<string, string> = {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    xhr.open("POST", path);
    xhr.responseType = "json";
    xhr.setRequestHeader("X-CSRFToken", csrfToken());
    xhr.setRequestHeader("Accept", "application/json");
    xhr.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) progress(event.loaded / event.total);
    });
    xhr.addEventListener("load", () => {
      if (xhr.status >= 200 && xhr.status < 300) resolve(xhr.response as T);
      else reject(errorFrom(xhr.status, xhr.response));
    });
    xhr.addEventListener("error", () => {
      reject(new ApiError(0, "offline", "The connection broke during the upload. Try this file again."));
    });
    xhr.addEventListener("abort", () => reject(new ApiError(0, "aborted", "The upload was stopped.")));
    signal?.addEventListener("abort", () => xhr.abort());
    const form = new FormData();
    for (const [name, value] of Object.entries(more)) form.append(name, value);
    form.append(field, file, file.name);
    xhr.send(form);
  });
}
