import { useMutation, useQuery } from "@tanstack/react-query";
import { FolderInput } from "lucide-react";
import { useState } from "react";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import { SelectField } from "../kit/fields";
import { Button, Note } from "../kit/kit";
import { useDataset } from "./DatasetPage";
import { IntakeJob } from "./IntakeJob";
import { type Rights, said } from "./RightsFields";

/** Pictures from a folder that the server offers; nothing is shown where it offers none. */
export function ServerFolder({ rights }: { rights: Rights }) {
  const dataset = useDataset();
  const offered = useQuery({
    queryKey: ["server-folders", dataset.id],
    queryFn: () => api.serverFolders(dataset.id),
    staleTime: 60_000,
  });
  const [folder, setFolder] = useState("");
  const start = useMutation({ mutationFn: () => api.addServerFolder(dataset.id, folder, said(rights)) });
  if (!offered.data || offered.data.folders.length === 0) return null;
  return (
    <div className="stack">
      <div className="row server-folder">
        <SelectField label="Folder of the server" value={folder} onChange={setFolder}>
          <option value="">Choose one</option>
          {offered.data.folders.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </SelectField>
        <Button icon={FolderInput} disabled={folder === ""} busy={start.isPending} onClick={() => start.mutate()}>
          Add its pictures
        </Button>
      </div>
      {start.isError && <Note tone="bad">{messageOf(start.error)}</Note>}
      {start.data && <IntakeJob id={start.data.id} label="Pictures of the folder" />}
    </div>
  );
}
