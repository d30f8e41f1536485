import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useNavigate } from "react-router";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import { TextArea, TextField } from "../kit/fields";
import { Button, Dialog, Note } from "../kit/kit";

export function CreateDatasetDialog({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [licence, setLicence] = useState("");
  const queries = useQueryClient();
  const navigate = useNavigate();
  const create = useMutation({
    mutationFn: api.createDataset,
    onSuccess: (dataset) => {
      void queries.invalidateQueries({ queryKey: ["datasets"] });
      navigate(`/datasets/${dataset.id}`);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate({ name: name.trim(), description: description.trim(), licence: licence.trim() });
  };
  return (
    <Dialog title="New dataset" onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        {create.isError && <Note tone="bad">{messageOf(create.error)}</Note>}
        <TextField label="Name" required maxLength={100} value={name} onChange={setName} />
        <TextArea
          label="What is in it"
          hint="Optional. Tell annotators what counts as an object."
          value={description}
          onChange={setDescription}
        />
        <TextField
          label="Licence of the pictures"
          hint="Optional. Kept with every export."
          value={licence}
          onChange={setLicence}
        />
        <div className="dialog__actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={create.isPending}>
            Create dataset
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
