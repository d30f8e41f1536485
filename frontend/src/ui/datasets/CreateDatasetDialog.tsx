import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useNavigate } from "react-router";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import { Button, Dialog, Field, Note } from "../kit/kit";

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
        <Field label="Name">
          {(id) => (
            <input
              id={id}
              className="input"
              required
              maxLength={100}
              value={name}
              onChange={(event) => setName(event.target.value)}
            />
          )}
        </Field>
        <Field label="What is in it" hint="Optional. Tell annotators what counts as an object.">
          {(id) => (
            <textarea
              id={id}
              className="input"
              value={description}
              onChange={(event) => setDescription(event.target.value)}
            />
          )}
        </Field>
        <Field label="Licence of the pictures" hint="Optional. Kept with every export.">
          {(id) => (
            <input id={id} className="input" value={licence} onChange={(event) => setLicence(event.target.value)} />
          )}
        </Field>
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
