import { useMutation } from "@tanstack/react-query";
import { Link2 } from "lucide-react";
import { useState } from "react";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import { TextArea } from "../kit/fields";
import { Button, Note } from "../kit/kit";
import { useDataset } from "./DatasetPage";
import { IntakeJob } from "./IntakeJob";
import { type Rights, said } from "./RightsFields";

/** Pictures that the server fetches from the web. */
export function UrlList({ rights }: { rights: Rights }) {
  const dataset = useDataset();
  const [text, setText] = useState("");
  const addresses = text.split(/\s*\n\s*/).filter(Boolean);
  const start = useMutation({
    mutationFn: () => api.addAddresses(dataset.id, addresses, said(rights)),
    onSuccess: () => setText(""),
  });
  return (
    <div className="stack">
      <TextArea
        label="Addresses of pictures on the web, one in each line"
        rows={3}
        placeholder="https://example.org/picture.jpg"
        spellCheck={false}
        value={text}
        onChange={setText}
      />
      <div className="row">
        <Button icon={Link2} disabled={addresses.length === 0} busy={start.isPending} onClick={() => start.mutate()}>
          {addresses.length > 1 ? `Fetch ${addresses.length} pictures` : "Fetch the picture"}
        </Button>
      </div>
      {start.isError && <Note tone="bad">{messageOf(start.error)}</Note>}
      {start.data && <IntakeJob id={start.data.id} label="Pictures from addresses" />}
    </div>
  );
}
