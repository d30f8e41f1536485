import { FileUp } from "lucide-react";
import { useRef, useState } from "react";
import type { ImportFormat } from "../../api/types";
import { SelectField } from "../kit/fields";
import { Button } from "../kit/kit";
import { useDataset } from "./DatasetPage";
import { UploadList } from "./UploadList";
import { useUploads } from "./useUploads";

/** One archive of pictures and annotations made elsewhere. */
export function ImportForm({ formats }: { formats: ImportFormat[] }) {
  const dataset = useDataset();
  const picker = useRef<HTMLInputElement>(null);
  const [format, setFormat] = useState("auto");
  const uploads = useUploads(dataset.id, true, "import");
  const about = formats.find((one) => one.name === format)?.about;
  return (
    <section className="stack" aria-labelledby="import">
      <h2 id="import">Import</h2>
      <p className="muted">
        A zip or tar archive of pictures with annotations from another program. What is in this dataset already is not
        added twice, and what cannot be used is named with its reason.
      </p>
      <div className="card card--pad stack">
        <SelectField label="Format" hint={about ?? HINTS[format]} value={format} onChange={setFormat}>
          <option value="auto">Find out</option>
          <option value="images">Pictures alone</option>
          {formats.map((one) => (
            <option key={one.name} value={one.name}>
              {one.title}
            </option>
          ))}
        </SelectField>
        <Button icon={FileUp} onClick={() => picker.current?.click()}>
          Choose an archive
        </Button>
        <input
          ref={picker}
          type="file"
          accept=".zip,application/zip,.tar,.tgz,.gz,application/x-tar,application/gzip"
          hidden
          onChange={(event) => {
            const file = event.target.files?.[0];
            event.target.value = "";
            if (file) void uploads.queue.add([{ file, path: file.name }], { import_format: format });
          }}
        />
      </div>
      <UploadList uploads={uploads} />
    </section>
  );
}

const HINTS: Record<string, string> = {
  auto: "From the names and beginnings of the files.",
  images: "Documents beside the pictures are passed over.",
};
